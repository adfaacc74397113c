"""Parts of messages for users."""

from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like `name`, "" if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    return next(iter(get_close_matches(name, sorted(known), n=1)), "")


def suggestion(near: str) -> str:
    """Return `; did you mean 'size'?` for the end of a message, or "" if `near` is ""."""
    return f"; did you mean '{near}'?" if near else ""


def first_of(items: Sequence[object], most: int, separator: str = ", ") -> str:
    """Join the first `most` items; ` and 3 more` follows if there are more."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(str(item) for item in items[:most]) + more


def printable(text: str) -> str:
    r"""Return a text with each character that is not printable as an escape of Python: `\n`, `\x1b`.

    So a text that another client wrote can neither control a terminal nor begin a line of its own.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_json(text: str) -> str:
    """Return indented JSON that has each other character that is not printable as an escape of JSON."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _json_escape(char) for char in text)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
