"""The price of passes over a map that is in the kernel already."""

from __future__ import annotations

from functools import cache

from bench.figure import AtMost, Figure, Measured, seconds, times_bare
from bench.machine import measure, node

_KINDS = ("add", "change", "remove")


def _noop_5000() -> Measured:
    with node() as machine:
        found = measure(machine, "noop", 5000, 1, 5)
    return times_bare(found["ours"], found["bare"], "bare: reading the same files and links")


@cache
def _changes() -> tuple[dict[str, float], dict[str, float]]:
    """Measure changes among few and among many LUNs, once for both figures."""
    with node() as machine:
        return measure(machine, "change", 100, 1, 30), measure(machine, "change", 10_000, 1, 30)


def _one_change() -> Measured:
    few, many = _changes()
    ratios = {kind: many[kind] / few[kind] for kind in _KINDS}
    worst = max(ratios, key=lambda kind: ratios[kind])
    note = ", ".join(f"{kind} {ratios[kind]:.2f}" for kind in _KINDS)
    return Measured(
        ratios[worst], seconds(many[worst]), seconds(few[worst]), f"{note}; beside: the same among 100"
    )


def _one_change_and_bare() -> Measured:
    _, many = _changes()
    ratios = {kind: many[kind] / many[f"bare_{kind}"] for kind in _KINDS}
    worst = max(ratios, key=lambda kind: ratios[kind])
    note = ", ".join(
        f"{kind} {ratios[kind]:.2f} ({seconds(many[kind])} against {seconds(many[f'bare_{kind}'])})"
        for kind in _KINDS
    )
    return Measured(ratios[worst], seconds(many[worst]), seconds(many[f"bare_{worst}"]), note)


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
    Figure(
        "one_change_10000_vs_bare_10000",
        "the same among 10,000, beside the system calls that write and read back that LUN",
        AtMost(1.3),
        _one_change_and_bare,
    ),
)
