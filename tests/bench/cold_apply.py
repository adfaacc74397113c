"""The price of making a whole map in an empty kernel."""

from __future__ import annotations

from bench.figure import AtMost, Figure, Measured, times_bare
from bench.machine import measure, node


def _cold_1000x2() -> Measured:
    with node() as machine:
        found = measure(machine, "cold", 1000, 2, 3)
    return times_bare(found["ours"], found["bare"])


FIGURES = (
    Figure(
        "cold_apply_1000x2_vs_bare",
        "1,000 LUNs, each mapped to 2 initiators, made in an empty kernel",
        AtMost(2.0),
        _cold_1000x2,
    ),
)
