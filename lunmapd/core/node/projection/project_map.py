"""From the map to all desired objects of one node."""

from collections.abc import Set as AbstractSet
from itertools import chain

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.interning import ObjectPool
from lunmapd.core.node.projection.project_lun import project_lun
from lunmapd.core.node.projection.project_target import project_remote, project_target, served_targets


def project_map(
    lunmap: Lunmap,
    node: str,
    features: AbstractSet[str] = frozenset(),
    foreign: AbstractSet[str] = frozenset(),
    previous: lio_objects.Objects = lio_objects.NO_OBJECTS,
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return the desired objects of `node` by key; none if the map has no such node.

    `features` are those of its kernel, such as PORT_ID. Objects that equal one in `previous` are that
    instance (see interning.py). Maps to targets that this node does not serve, that don't exist or that are
    `foreign` are ignored. Every floating group is enabled, as if the node were the owner: leases.py. Luns
    of takeover groups are `leased` (Alua).
    """
    itself = lunmap.nodes.get(node)
    if itself is None:
        return {}
    serves = served_targets(lunmap, node, foreign)
    targets = (project_target(iqn, lunmap.targets[iqn], node, itself, features) for iqn in serves)
    remote = (project_remote(lunmap, iqn, node) for iqn in serves)
    luns = (project_lun(lunmap, name, node, serves) for name in lunmap.luns)
    discovery = () if itself.discovery is None else (lio_objects.DiscoveryAuth(),)
    pool = ObjectPool[lio_objects.DesiredObject](previous)
    pool.add(chain(discovery, chain.from_iterable(chain(targets, remote, luns))))
    return pool.objects()
