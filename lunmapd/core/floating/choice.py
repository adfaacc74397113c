"""Which node is to own a floating portal group. Each node of the group decides it from the same facts."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.base.lunmap import Failback, FloatingGroup


class Candidate(Struct, frozen=True):
    """How well a node can own a group.

    `fit`: it is live, has applied the map, serves every Lun of the group and is not drained. `settled`: that
    has been so for the group's `failback_after`. `served` is the number of the group's Luns that it serves; 0
    if it can't own the group at all.
    """

    fit: bool = False
    settled: bool = False
    served: int = 0


UNFIT = Candidate()


def choose_owner(
    group: FloatingGroup, candidates: Mapping[str, Candidate], owner: str, wish: str = ""
) -> str:
    """Return the node that is to own a group, "" for none.

    `owner` is the present owner, `wish` the node that an admin asked for. If no node is fit, it is the one
    that serves most of the Luns.
    """
    known = {node: candidates.get(node, UNFIT) for node in group.nodes}
    fit = [node for node in group.nodes if known[node].fit]
    if not fit:
        return _least_unfit(known, owner)
    if wish in fit:
        return wish
    return _failback(group, known, owner) if owner in fit else fit[0]


def _failback(group: FloatingGroup, known: Mapping[str, Candidate], owner: str) -> str:
    """Return the first node that is preferred to a fit owner and has been fit for long enough."""
    if group.failback is Failback.MANUAL:
        return owner
    preferred = group.nodes[: group.nodes.index(owner)]
    ready = (node for node in preferred if known[node].fit and known[node].settled)
    return next(ready, owner)


def _least_unfit(known: Mapping[str, Candidate], owner: str) -> str:
    """Return the node that serves most Luns: of equals the owner, then the first; "" if none serves any."""
    best = max((candidate.served for candidate in known.values()), default=0)
    if not best:
        return ""
    equals = [node for node, candidate in known.items() if candidate.served == best]
    return owner if owner in equals else equals[0]
