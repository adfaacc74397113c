"""The start of a node until LIO is as in the map, with a real ensemble and a real kernel."""

from __future__ import annotations

from bench.figure import AtMost, Figure, Measured, seconds
from bench.former import FORMER, packed_former
from bench.guest.shape import NODE, Shape, lunmap
from bench.machine import cluster, measure
from bench.tree import terms
from lunmapd.store.commit.commit import commit
from lunmapd.store.session.session import DEFAULT_CHROOT, Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise

_SHAPE = Shape(10_000, 1)
_ROUNDS = 3
_SETTINGS = "node: {node}\nstate_dir: /var/lib/{build}\nzookeeper: {{hosts: ['{hosts}']}}\n"


def _start() -> Measured:
    found = _found()
    cold, equal = (found[f"ours_{kind}"] / found[f"former_{kind}"] for kind in ("cold", "equal"))
    note = (
        f"LIO as in the map; LIO empty: {cold:.2f} "
        f"({seconds(found['ours_cold'])} against {seconds(found['former_cold'])}); beside: {FORMER}"
    )
    return Measured(equal, seconds(found["ours_equal"]), seconds(found["former_equal"]), note)


def _found() -> dict[str, float]:
    with cluster() as (machine, servers):
        with Session(servers.hosts, DEFAULT_CHROOT, deadline=60.0) as admin:
            initialise(admin)
            commit(admin, read_tree(admin), lunmap(_SHAPE), terms())
        machine.put("/etc/machine-id", "5" * 32 + "\n")
        machine.run("mkdir -p /srv/former && tar -x -C /srv/former", input=packed_former())
        for build in ("ours", "former"):
            settings = _SETTINGS.format(node=NODE, build=build, hosts=servers.hosts)
            machine.put(f"/etc/lunmapd/{build}.yaml", settings)
            machine.run(f"mkdir -p -m 700 /var/lib/{build}")
        return measure(machine, "once", _SHAPE.luns, _SHAPE.initiators, _ROUNDS, timeout=1200.0)


FIGURES = (
    Figure(
        "follower_start_10000",
        f"the start of a node until 10,000 LUNs are as in the map, beside {FORMER}",
        AtMost(0.5),
        _start,
    ),
)
