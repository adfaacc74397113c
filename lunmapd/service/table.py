"""Tables for people. A module of its own: neither the daemon nor every verb has a use for its library."""

from collections.abc import Sequence

from lunmapd.core.base.text import printable


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a plain table, without colours or truncation, so that grep finds every value."""
    from tabulate import tabulate  # noqa: PLC0415 - most verbs need no table

    cells = [[printable(str(cell)) for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="plain", disable_numparse=True).split("\n")
