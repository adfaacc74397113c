"""The memory of a node's daemon at rest."""

from __future__ import annotations

from bench.figure import AtMost, Figure, Measured
from bench.guest.shape import NODE, Shape, lunmap
from bench.machine import cluster, measure
from bench.tree import terms
from lunmapd.store.commit.commit import commit
from lunmapd.store.session.session import DEFAULT_CHROOT, Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise

_SHAPE = Shape(10_000, 1)
_ROUNDS = 4
_MORE = 2
# Only signals cause further passes.
_SETTINGS = "node: {node}\nresync: 86400\nfull_read: 86400\nzookeeper: {{hosts: ['{hosts}']}}\n"


def _rss() -> Measured:
    found = _found(_SHAPE)
    worker = found["rss"] - found["daemon"]
    return Measured(
        found["rss"],
        f"{found['rss']:.0f} MB",
        note=f"the daemon {found['daemon']:.0f}, its worker {worker:.0f}; {found['shared']:.0f} with shared pages counted once; other processes {found['others']:.0f}",
    )


def _growth() -> Measured:
    more = Shape(_SHAPE.luns, _SHAPE.initiators + _MORE)
    one, many = _found(_SHAPE), _found(more)
    grown = {name: (many[name] - one[name]) / _MORE for name in one}
    return Measured(
        grown["rss"],
        f"{many['rss']:.0f} MB",
        f"{one['rss']:.0f} MB",
        f"the daemon {grown['daemon']:.1f} of it; beside: one initiator, not {more.initiators}",
    )


def _found(shape: Shape) -> dict[str, float]:
    with cluster() as (machine, servers):
        with Session(servers.hosts, DEFAULT_CHROOT, deadline=60.0) as admin:
            initialise(admin)
            commit(admin, read_tree(admin), lunmap(shape), terms())
        machine.put("/etc/machine-id", "5" * 32 + "\n")
        machine.put("/etc/lunmapd/lunmapd.yaml", _SETTINGS.format(node=NODE, hosts=servers.hosts))
        return measure(machine, "resident", shape.luns, shape.initiators, _ROUNDS, timeout=1200.0)


FIGURES = (
    Figure(
        "rss_mb_10000",
        "resident memory of the daemon and its worker with 10,000 LUNs mapped, in MB",
        AtMost(60.0),
        _rss,
    ),
    Figure(
        "rss_mb_10000_per_initiator",
        "the same for each further initiator that sees the 10,000 LUNs, in MB",
        AtMost(3.5),
        _growth,
    ),
)
