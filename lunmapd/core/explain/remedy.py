"""What mends a problem: words for people, and the command in them."""

from typing import NamedTuple


class Remedy(NamedTuple):
    """What mends a problem; `command` is the part of the `text` to copy, "" for none.

    It is a line for a shell, on the machine that the text names.
    """

    text: str = ""
    command: str = ""


NO_REMEDY = Remedy()


def run(command: str, before: str = "", after: str = "") -> Remedy:
    """Return the remedy that is a command, with the words around it."""
    return Remedy(f"{before}{command}{after}", command)
