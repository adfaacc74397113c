"""Parts of messages for users."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")

_MAX_ALIKE = 3
_NUMBER = re.compile(r"\d+")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like `name`, in upper or lower case; "" if none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    spelled = {each.casefold(): each for each in sorted(known)}
    return next((spelled[each] for each in get_close_matches(name.casefold(), spelled, n=1)), "")


def suggestion(near: str) -> str:
    """Return `; did you mean 'size'?` for the end of a message, or "" if `near` is ""."""
    return f"; did you mean '{near}'?" if near else ""


def first_of(items: Sequence[object], most: int, separator: str = ", ") -> str:
    """Join the first `most` items; ` and 3 more` follows if there are more."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(str(item) for item in items[:most]) + more


def sum_alike(
    items: Iterable[_T], words: Callable[[_T], str], place: Callable[[_T], str]
) -> Iterator[tuple[_T, str]]:
    """Yield each item with "", but of more than three with the same words the first one with the others' sum.

    That is the end of its line: ` (7 more such: luns[a], luns[b], luns[c] and 4 more)`. Numbers in the words
    do not count.
    """
    alike = defaultdict[str, list[_T]](list)
    for item in items:
        alike[_NUMBER.sub("0", words(item))].append(item)
    for first, *others in alike.values():
        if len(others) < _MAX_ALIKE:
            yield from ((each, "") for each in (first, *others))
        else:
            places = first_of([place(each) for each in others], _MAX_ALIKE)
            yield first, f" ({len(others):,} more such: {places})"


_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def human_size(size: int) -> str:
    """Return a size in bytes in the unit that a person would use: `32 GiB`, `1.5 TiB`, `513 bytes`."""
    exponent = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    count = size / (1 << (10 * exponent))
    return f"{count:.1f}".removesuffix(".0") + f" {_UNITS[exponent]}"


def exact_size(size: int) -> str:
    """Return a size in the largest unit that divides it: `64 MiB`, `67108865 bytes`."""
    exponent = max(n for n in range(len(_UNITS)) if size % (1 << (10 * n)) == 0) if size else 0
    return f"{size >> (10 * exponent)} {_UNITS[exponent]}"


def count_of(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun: `1 object`, `10,000 objects`."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


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
