"""The cost of reporting the paths of every Lun, beside the reading of the map."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bench.figure import AtMost, Figure, Measured, times_bare
from bench.tree import HOST, TARGET, ensemble, luns, seconds_of_gets, terms, tree
from lunmapd.client import Client
from lunmapd.core.base.lunmap import Node, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    APPLIED,
    HistoryPoint,
    Live,
    NodeStatus,
    true_condition,
    update_condition,
)
from lunmapd.core.node.observed import Login
from lunmapd.service.ctl.text.summary import summary
from lunmapd.store.commit.commit import commit
from lunmapd.store.tree.members import register, write_status
from lunmapd.store.tree.read import read_tree

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.store.session.session import Session

_LUNS = 10_000
_NODES = tuple(f"n{number}" for number in range(1, 9))
_ROUNDS = 5


def _status() -> Measured:
    with ensemble(1) as servers, tree(servers) as session:
        commit(session, read_tree(session), _map(), terms())
        _come(session)
        rounds = [(_ours(session), seconds_of_gets(session)) for _ in range(_ROUNDS)]
    ours, plain = (median(times) for times in zip(*rounds, strict=True))
    return times_bare(ours, plain, "bare: the same znodes as bytes, by 256 gets at a time")


def _map() -> Lunmap:
    nodes = {name: Node(tag, (f"10.0.0.{tag}:3260",)) for tag, name in enumerate(_NODES, 1)}
    target = Target({name: PortalGroup(tag) for tag, name in enumerate(_NODES, 1)})
    return replace(luns(_LUNS), targets={TARGET: target}, nodes=nodes)


def _come(session: Session) -> None:
    """Register all nodes but one, and write a converged status for each."""
    snapshot = read_tree(session)
    now = HistoryPoint(snapshot.cluster, snapshot.revision, snapshot.digest)
    conditions = update_condition((), true_condition(APPLIED, Reason.SEEN, ""), "")
    for name in _NODES[1:]:
        register(session, name, Live(name, "b", "1", ""))
        write_status(
            session, name, NodeStatus("b", "1", "", now, now, conditions, logins=(Login(TARGET, HOST),))
        )


def _ours(session: Session) -> float:
    began = time.monotonic()
    found = summary(Client(session).fleet(), luns=True)
    took = time.monotonic() - began
    (trouble,) = found.lun_troubles
    assert (len(trouble.luns), trouble.usable, trouble.intended) == (_LUNS, 7, 8)
    return took


FIGURES = (
    Figure(
        "status_10000x8_vs_read",
        "telling the paths of 10,000 Luns through 8 nodes",
        AtMost(0.5),
        _status,
    ),
)
