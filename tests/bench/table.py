"""The table that `make bench` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunmapd.service.table import table as aligned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.figure import Figure, Measured

_HEADERS = ("FIGURE", "OURS", "BARE", "VALUE", "GOAL", "MET", "NOTE")


def table(figures: Sequence[Figure], found: Mapping[str, Measured | None]) -> str:
    """Lay out all figures, also those that could not be measured."""
    rows = [_row(figure, found[figure.name]) for figure in figures]
    return "\n".join(aligned(_HEADERS, rows))


def _row(figure: Figure, measured: Measured | None) -> tuple[str, ...]:
    if measured is None:
        return (figure.name, "-", "-", "-", str(figure.goal), "not measured", "")
    met = "yes" if figure.goal.met(measured.value) else "NO"
    value = f"{measured.value:.3g}"
    return (figure.name, measured.ours, measured.bare or "-", value, str(figure.goal), met, measured.note)
