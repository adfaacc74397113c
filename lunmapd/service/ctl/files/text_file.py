"""Reading a file of text."""

from typing import TextIO

from lunmapd.core.base.errors import InvalidInputError, Problem


def read_text(file: TextIO) -> str:
    """Return the text of a file that was opened as UTF-8. Raises InvalidInputError."""
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise InvalidInputError([Problem((), f"not UTF-8: {error.reason}", file.name)]) from None
