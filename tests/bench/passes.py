"""The price of passes over a map that is in the kernel already."""

from __future__ import annotations

from bench.figure import AtMost, Figure, Measured, seconds, times_bare
from bench.machine import measure, node

_KINDS = ("add", "change", "remove")


def _noop_5000() -> Measured:
    with node() as machine:
        found = measure(machine, "noop", 5000, 1, 5)
    return times_bare(found["ours"], found["bare"], "bare: reading the same files and links")


def _one_change() -> Measured:
    with node() as machine:
        few = measure(machine, "change", 100, 1, 30)
        many = measure(machine, "change", 10_000, 1, 30)
    ratios = {kind: many[kind] / few[kind] for kind in _KINDS}
    worst = max(ratios, key=lambda kind: ratios[kind])
    note = ", ".join(f"{kind} {ratios[kind]:.2f}" for kind in _KINDS)
    return Measured(
        ratios[worst], seconds(many[worst]), seconds(few[worst]), f"{note}; beside: the same among 100"
    )


FIGURES = (
    Figure(
        "noop_5000_vs_bare_read", "a pass over 5,000 LUNs that finds nothing to do", AtMost(2.0), _noop_5000
    ),
    Figure(
        "one_change_10000_vs_100",
        "one LUN added, changed or removed among 10,000: from the revision to the status",
        AtMost(1.5),
        _one_change,
    ),
)
