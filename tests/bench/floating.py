"""An address that moves under verified I/O of a host with one path, beside others that move addresses.

All are measured on the same two nodes, one after the other, with the settings for hosts with one path of
docs/single-path-hosts.md.
"""

from __future__ import annotations

from functools import cache
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import one_path_peers
from bench.figure import AtMost, Figure, Measured, seconds, times_bare
from bench.one_path import SESSION_TIMEOUT, Pauses, Site, configure
from lab import Lab, LabError
from lab.wait import wait_until
from support import pacemaker
from support.cluster import PID, SAN, bring_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.cluster import StorageNode

MOVES = 10
PACEMAKER_MOVES = 4
CUTS = 3


class AllPauses(NamedTuple):
    """The pauses of each; None if Pacemaker could not be measured."""

    lunmapd: Pauses
    bare: Pauses
    keepalived: Pauses
    pacemaker: Pauses | None


def _lunmapd(site: Site) -> Pauses:
    cluster = site.cluster

    def move(_: StorageNode, to: StorageNode) -> None:
        cluster.ctl("float", "move", SAN, "gold", to.name)

    moves = site.moves(MOVES, move)
    cuts, taken = zip(*(_cut_and_restore(site) for _ in range(CUTS)), strict=True)
    owner = site.await_owner()
    both = site.seconds_on_both(lambda node: node.machine.run(_signal_tree("STOP")))
    owner.machine.run(_signal_tree("CONT"), check=False)
    wait_until("both nodes are well", cluster.all_well)
    return Pauses(moves, cuts, taken, both)


def _cut_and_restore(site: Site) -> tuple[float, float]:
    owner = site.await_owner()
    found = site.cut(owner)
    owner.machine.start()
    configure(site.cluster, owner)
    owner.start()
    wait_until("both nodes are well", site.cluster.all_well)
    # Otherwise the next cut would measure a node that has just started, which can own a group 3 s later.
    wait_until("the group is back", lambda: _move_to(site, owner))
    return found


def _move_to(site: Site, node: StorageNode) -> bool:
    return site.cluster.ctl("float", "move", SAN, "gold", node.name, expect=None).status == 0


def _signal_tree(name: str) -> str:
    return f"pid=$(cat {PID}); kill -{name} $pid $(cat /proc/$pid/task/*/children)"


@cache
def measured() -> AllPauses:
    """Return the pauses of all, on the same machines."""
    with Lab(driver=pacemaker.with_peers()) as lab:
        site = Site(bring_up(lab, nodes=2, memory="512M"))
        ours = _shown("lunmapd", _lunmapd(site))
        for node in site.cluster.nodes:
            node.stop()
        wait_until("the lease has ended", lambda: not site.cluster.owners())
        return AllPauses(
            ours,
            _shown("bare script", one_path_peers.bare(site, MOVES)),
            _shown("keepalived", one_path_peers.keepalived(site, MOVES, CUTS)),
            _pacemaker(site),
        )


def _pacemaker(site: Site) -> Pauses | None:
    """Return the pauses of Pacemaker; its agents are slow in emulated machines, and may not get there."""
    try:
        return _shown("Pacemaker", one_path_peers.with_pacemaker(site, PACEMAKER_MOVES))
    except (LabError, AssertionError) as error:
        print(f"   Pacemaker: not measured: {error}", flush=True)
        return None


def _shown(name: str, pauses: Pauses) -> Pauses:
    print(f"   {name}: {pauses}", flush=True)
    return pauses


def _beside(found: AllPauses, show: Callable[[Pauses], str]) -> str:
    """Return the note about Pacemaker, whose value `show` prints."""
    return f"Pacemaker: {'not measured' if found.pacemaker is None else show(found.pacemaker)}"


def _move() -> Measured:
    found = measured()
    keepalived = seconds(median(found.keepalived.moves))
    note = f"keepalived: {keepalived}; {_beside(found, lambda peer: seconds(median(peer.moves)))}"
    return times_bare(median(found.lunmapd.moves), median(found.bare.moves), note)


def _power_cut() -> Measured:
    found = measured()
    ours, keepalived = max(found.lunmapd.cuts), max(found.keepalived.cuts)
    note = f"bare: keepalived; {_beside(found, lambda peer: seconds(max(peer.cuts)))}"
    return Measured(ours - SESSION_TIMEOUT, seconds(ours), seconds(keepalived), note)


def _power_cut_beside_peers() -> Measured:
    found = measured()
    peers = (found.keepalived, *filter(None, (found.pacemaker,)))
    fastest = min(median(peer.cuts) for peer in peers)
    note = f"medians; bare: the faster one; {_beside(found, lambda peer: seconds(median(peer.cuts)))}"
    return times_bare(median(found.lunmapd.cuts), fastest, note)


def _on_both() -> Measured:
    found = measured()
    ours, keepalived = found.lunmapd.both or 0.0, found.keepalived.both or 0.0
    note = f"bare: keepalived; {_beside(found, lambda peer: f'{peer.both:.3g} s')}"
    return Measured(ours, f"{ours:.3g} s", f"{keepalived:.3g} s", note)


FIGURES = (
    Figure(
        "floating_move_vs_bare", "I/O pause of a planned move of an address, one path", AtMost(1.2), _move
    ),
    Figure(
        "floating_power_cut",
        "I/O pause of the owner's power cut, less the session timeout",
        AtMost(3.0),
        _power_cut,
    ),
    Figure(
        "floating_power_cut_vs_peers",
        "I/O pause of the owner's power cut, beside the faster of keepalived and Pacemaker",
        AtMost(1.1),
        _power_cut_beside_peers,
    ),
    Figure(
        "floating_on_two_nodes",
        "seconds on two nodes, all processes of the owner stopped",
        AtMost(0.0),
        _on_both,
    ),
)
