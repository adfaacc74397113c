"""The move of nodes into one map, node by node, with the disruption of each step. Pure."""

from collections.abc import Iterator

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.conversion.join import Joined


class NodeMove(Struct, frozen=True):
    """The move of one node.

    With `reasons` its targets are made anew, which ends its sessions; without, they are taken over as they
    are. `cut_off` maps initiators to the Luns that they can't reach meanwhile, since they see them through
    no other node.
    """

    node: str
    reasons: tuple[str, ...]
    disruption: Disruption
    cut_off: dict[str, tuple[str, ...]]


def rolling_move(joined: Joined) -> tuple[NodeMove, ...]:
    """Return the moves in their order: first the nodes that nobody notices, then the others by name.

    A node that moves later counts as a path; it still serves what it served before.
    """
    reasons: dict[str, list[str]] = {}
    for rebuild in joined.rebuilds:
        reasons.setdefault(rebuild.node, []).append(rebuild.reason)
    nodes = joined.conversion.lunmap.nodes
    moves = [_move(joined, node, tuple(reasons.get(node, ()))) for node in nodes]
    return tuple(sorted(moves, key=lambda move: (bool(move.reasons), move.node)))


def _move(joined: Joined, node: str, reasons: tuple[str, ...]) -> NodeMove:
    cut_off: dict[str, tuple[str, ...]] = {}
    for (initiator, lun), nodes in joined.paths.items() if reasons else ():
        if nodes == {node}:
            cut_off[initiator] = (*cut_off.get(initiator, ()), lun)
    lost = Disruption.DATA_UNREACHABLE if cut_off else Disruption.SESSION_DROP
    return NodeMove(node, reasons, lost if reasons else Disruption.NONE, cut_off)


def move_lines(moves: tuple[NodeMove, ...]) -> Iterator[str]:
    """Yield the plan as text."""
    for place, move in enumerate(moves, start=1):
        how = "make its targets anew" if move.reasons else "take over its targets as they are"
        yield f"{place}. {move.node}: {how} (disruption: {move.disruption.word})"
        yield from (f"   because {reason}" for reason in move.reasons)
        if move.reasons:
            yield "   before: each host has another path to each of its Luns (multipath -ll)"
            yield "   then: remove its old configuration, start lunmapd, wait for the hosts' paths"
            yield "   back: stop lunmapd, remove its targets, restore the old configuration"
        for initiator, luns in move.cut_off.items():
            yield f"   {initiator} can't reach {', '.join(luns)} meanwhile: stop its I/O first"
