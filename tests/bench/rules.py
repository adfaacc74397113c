"""The rules of a commit: what checking one change costs in a large map, beside a small one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.figure import AtLeast, AtMost, Figure, Measured, times_bare, times_faster
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.map import rules
from lunmapd.core.map.rule_index import RuleIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lunmapd.core.history.map_change import ObjectName

_MANY, _FEW = 10_000, 100
_LUNS_OF_A_HOST = 100
_ROUNDS = 200
_TARGET = "iqn.2026-01.org.example:san"
_CHANGED: Sequence[ObjectName] = (("luns", "l7"),)


def map_of_hosts(count: int) -> Lunmap:
    """Return a map of `count` Luns, each mapped to one of the hosts through three nodes."""
    hosts = [f"iqn.2026-01.org.example:host{number}" for number in range(-(-count // _LUNS_OF_A_HOST))]
    return Lunmap(
        {f"l{number}": _lun(number, hosts[number // _LUNS_OF_A_HOST]) for number in range(count)},
        {_TARGET: Target({f"n{number}": PortalGroup(number) for number in (1, 2, 3)})},
        {host: Initiator() for host in hosts},
        nodes={f"n{number}": Node(number, (f"10.0.0.{number}:3260",)) for number in (1, 2, 3)},
    )


def _lun(number: int, host: str) -> Lun:
    return Lun(
        Block(f"/dev/vg/l{number}"),
        serial=f"{number:025x}",
        shared=Shared(Scope.OFF, Scope.OFF),
        maps=(Map(_TARGET, number % _LUNS_OF_A_HOST, host),),
    )


def _times(count: int) -> tuple[float, float]:
    """Return the shortest processor times, in seconds, of checking one changed Lun, and the whole map."""
    before = map_of_hosts(count)
    lun = replace(before.luns["l7"], backing=Block("/dev/vg/other"))
    after = replace(before, luns={**before.luns, "l7": lun})
    index = RuleIndex(before)
    assert index.check(after, _CHANGED) == rules.check_map(after) == ()
    return (
        min(_time(lambda: index.check(after, _CHANGED)) for _ in range(_ROUNDS)),
        min(_time(lambda: rules.check_map(after)) for _ in range(3)),
    )


def _time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _many_and_few() -> Measured:
    return times_bare(_times(_MANY)[0], _times(_FEW)[0])


def _change_and_whole() -> Measured:
    change, whole = _times(_MANY)
    return times_faster(change, whole)


FIGURES = (
    Figure(
        "rules_one_change_10000_vs_100",
        "checking one changed Lun by the index of a map of 10,000 Luns, beside one of 100",
        AtMost(1.5),
        _many_and_few,
    ),
    Figure(
        "rules_one_change_vs_whole_10000",
        "checking one changed Lun by the index of a map of 10,000 Luns, beside all rules of the map",
        AtLeast(100),
        _change_and_whole,
    ),
)
