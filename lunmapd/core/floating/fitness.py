"""How well a node can own a floating portal group, judged by its last status."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.path_state import USABLE, PathState, scopes_of
from lunmapd.core.floating.choice import Candidate


def candidate_of(lunmap: Lunmap, iqn: str, state: PathState) -> Candidate:
    """Return how well a node can own a floating portal group of a target.

    `state` is that of the paths through the node. A node serves a Lun if a path of it with all maps through
    the target is usable. A target without Luns is served by each node that has applied it. Only the caller
    knows since when the node has been fit: `settled` is false.
    """
    luns = list(_scopes_through(lunmap, iqn))
    served = sum(state.state(scopes) in USABLE for scopes in luns)
    fit = served == len(luns) and state.state({f"targets/{iqn}"}) in USABLE
    return Candidate(fit=fit, served=served)


def _scopes_through(lunmap: Lunmap, iqn: str) -> Iterator[AbstractSet[str]]:
    """Yield the scopes of each Lun that has a map through a target, without those of its other maps."""
    for name, lun in lunmap.luns.items():
        maps = tuple(entry for entry in lun.maps if entry.target == iqn)
        if maps:
            yield scopes_of(lunmap, name, replace(lun, maps=maps))
