"""Tables for people. A module of its own, since the daemon has no use for its library."""

from collections.abc import Sequence

from tabulate import tabulate

from lunmapd.core.base.text import printable


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a plain table, without colours or truncation, so that grep finds every value."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="plain", disable_numparse=True).split("\n")
