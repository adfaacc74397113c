"""The price of making a whole map in an empty kernel."""

from __future__ import annotations

from functools import cache

from bench.figure import AtLeast, AtMost, Figure, Measured, times_bare, times_faster
from bench.machine import measure, node, node_with_processors


@cache
def _found_1000x2() -> dict[str, float]:
    with node() as machine:
        return measure(machine, "cold", 1000, 2, 3)


def _cold_1000x2() -> Measured:
    found = _found_1000x2()
    return times_bare(found["ours"], found["bare"])


def _cold_1000x2_seen() -> Measured:
    found = _found_1000x2()
    return times_bare(found["ours"], found["readback"], "bare: writing the same and reading it back")


def _cold_200_smp() -> Measured:
    with node_with_processors(2) as machine:
        found = measure(machine, "cold", 200, 1, 5)
    return times_bare(found["ours"], found["bare"], "emulated; bare: one after the other")


def _restore_500() -> Measured:
    with node() as machine:
        found = measure(machine, "restore", 500, 1, 3)
    return times_faster(found["ours"], found["restore"], "beside: targetctl restore")


FIGURES = (
    Figure(
        "cold_apply_1000x2_vs_bare",
        "1,000 LUNs, each mapped to 2 initiators, made in an empty kernel",
        AtMost(2.0),
        _cold_1000x2,
    ),
    Figure(
        "cold_apply_1000x2_vs_bare_with_readback",
        "the same beside writing and reading back: applied means seen",
        AtMost(1.2),
        _cold_1000x2_seen,
    ),
    Figure(
        "smp_cold_apply_200_vs_bare",
        "200 LUNs made in an empty kernel of two processors, where a LUN waits for an RCU grace period",
        AtMost(0.7),
        _cold_200_smp,
    ),
    Figure(
        "restore_vs_cold_apply_500",
        "500 LUNs made in an empty kernel, so many times faster than by targetctl restore",
        AtLeast(100.0),
        _restore_500,
    ),
)
