"""Parts of messages for users."""

import difflib
from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like `name`, "" if none is near."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), "")


def suggestion(near: str) -> str:
    """Return `; did you mean 'size'?` for the end of a message, or "" if `near` is ""."""
    return f"; did you mean '{near}'?" if near else ""


def first_of(items: Sequence[object], most: int, separator: str = ", ") -> str:
    """Join the first `most` items; ` and 3 more` follows if there are more."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(str(item) for item in items[:most]) + more
