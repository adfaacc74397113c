"""What one node must have of a map, kept so that a change of some Luns costs what these Luns cost, and not the map.

A view stands on a whole pass that could tell all that is wanted. It answers for Luns that come, go or change, and for initiators that
come and go; whatever may concern more than that is left to the next whole pass.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base import names
from lunmapd.core.base.backings import Block, RamDisk, source
from lunmapd.core.base.events import FullPass
from lunmapd.core.base.lunmap import Lunmap, source_on
from lunmapd.core.history.changes import differing_names
from lunmapd.core.node import lio_objects
from lunmapd.core.node.chap import add_credentials
from lunmapd.core.node.desire import broken_documents
from lunmapd.core.node.project import project_lun, served_targets
from lunmapd.core.secrets.sealing import Vault

MAX_CHANGED_LUNS = 100
"""More Luns than these are a matter of a whole pass."""


class Delta(Struct, frozen=True):
    """The part of a node's objects that a change to `lunmap` concerns: their keys, and what of them is wanted.

    `luns` are the Luns that changed; `maps` counts the mapped LUNs of each ACL after it.
    """

    keys: AbstractSet[lio_objects.Key]
    desired: lio_objects.Objects
    lunmap: Lunmap
    luns: AbstractSet[str]
    maps: Counter[lio_objects.Key]


class DesiredView:
    """The objects that a node must have, and what tells that a change touches nothing else."""

    def __init__(
        self, lunmap: Lunmap, node: str, vault: Vault, foreign: AbstractSet[str], desired: lio_objects.Objects
    ) -> None:
        """Stand on a whole pass: `wanted` is all that `node` must have by `lunmap`, but for targets that are `foreign`."""
        self.lunmap = lunmap
        self.desired = dict(desired)
        self._node = node
        self.vault = vault
        self._foreign = foreign
        # By kind, for the tuples of a kind and an identity would take more memory than the identities.
        self._owners: dict[str, dict[str, str]] = {"naa": {}, "backing": {}, "here": {}}
        self._record_owners(lunmap, lunmap.luns)
        self._maps = Counter(
            _acl_key(item) for item in desired.values() if isinstance(item, lio_objects.MappedLun)
        )

    def _record_owners(self, lunmap: Lunmap, luns: Iterable[str]) -> None:
        """Note whose each identity of these Luns is."""
        for name in luns:
            for kind, what in _unique_values(lunmap, name, self._node):
                self._owners[kind][what] = name

    def delta_to(self, lunmap: Lunmap) -> Delta | FullPass:
        """Return the part of the objects that another map concerns, or why only a full pass can tell.

        `take` moves the view to that map.
        """
        changed = _changed_luns(self.lunmap, lunmap)
        if isinstance(changed, FullPass):
            return changed
        if (reason := self._conflict(lunmap, changed)) is not None:
            return reason
        before, after = self._objects(self.lunmap, changed), self._objects(lunmap, changed)
        if any(self._takes_lun_number(item, changed) for item in after.values()):
            return FullPass.LUN_NUMBER
        maps = self._count_maps(before, after)
        desired: dict[lio_objects.Key, lio_objects.Object] = {
            name: item for name, item in after.items() if not isinstance(item, lio_objects.NodeAcl)
        }
        # An ACL, here and in the TPGs that stand for other nodes, stays as long as any Lun is mapped by it.
        tag = lunmap.nodes[self._node].tpg_tag
        desired |= {
            name: item
            for name, item in (before | after).items()
            if isinstance(item, lio_objects.NodeAcl) and maps[lio_objects.key_of(replace(item, tag=tag))]
        }
        desired, failures = add_credentials(desired, {}, lunmap, self._node, self.vault)
        if failures:
            return FullPass.CHAP
        return Delta(before.keys() | after.keys(), desired, lunmap, changed, maps)

    def advance(self, delta: Delta) -> None:
        """Go on to the map of a part that `follow` gave."""
        for name in delta.luns & self.lunmap.luns.keys():
            for kind, what in _unique_values(self.lunmap, name, self._node):
                self._owners[kind].pop(what, None)
        self._record_owners(delta.lunmap, delta.luns & delta.lunmap.luns.keys())
        for key in delta.keys:
            self.desired.pop(key, None)
        self.desired |= delta.desired
        self.lunmap, self._maps = delta.lunmap, delta.maps

    def _objects(
        self, lunmap: Lunmap, changed: AbstractSet[str]
    ) -> dict[lio_objects.Key, lio_objects.Object]:
        serves = served_targets(lunmap, self._node, self._foreign)
        there = (name for name in changed if name in lunmap.luns)
        found = (project_lun(lunmap, name, self._node, serves) for name in there)
        return lio_objects.by_key(chain.from_iterable(found))

    def _conflict(self, lunmap: Lunmap, changed: AbstractSet[str]) -> FullPass | None:
        """Return why the changed Luns can't be judged without the others, None if they can."""
        some = {name: lunmap.luns[name] for name in changed if name in lunmap.luns}
        if broken_documents(replace(lunmap, luns=some)):
            return FullPass.RULES
        owners = (
            self._owners[kind].get(what)
            for name in some
            for kind, what in _unique_values(lunmap, name, self._node)
        )
        if any(owner is not None and owner not in changed for owner in owners):
            return FullPass.IDENTITY
        return FullPass.SIZE if self._has_resized_device(lunmap, changed) else None

    def _has_resized_device(self, lunmap: Lunmap, changed: AbstractSet[str]) -> bool:
        """Tell whether a device must have another size: only a whole look tells what it has."""
        both = changed & lunmap.luns.keys() & self.lunmap.luns.keys()
        return any(
            isinstance(lunmap.luns[name].backing, Block)
            and lunmap.luns[name].size != self.lunmap.luns[name].size
            for name in both
        )

    def _takes_lun_number(self, item: lio_objects.Object, changed: AbstractSet[str]) -> bool:
        """Tell whether it would take the LUN number of a Lun that stays."""
        other = self.desired.get(lio_objects.key_of(item))
        return isinstance(other, lio_objects.MappedLun) and other.storage_object not in changed

    def _count_maps(
        self, before: lio_objects.Objects, after: lio_objects.Objects
    ) -> Counter[lio_objects.Key]:
        """Count the mapped LUNs of each ACL after the change."""
        found = Counter(self._maps)
        found.subtract(_acl_key(item) for item in before.values() if isinstance(item, lio_objects.MappedLun))
        found.update(_acl_key(item) for item in after.values() if isinstance(item, lio_objects.MappedLun))
        return found


def _unique_values(lunmap: Lunmap, name: str, node: str) -> tuple[tuple[str, str], ...]:
    """Return what no other Lun may have: its NAA identifier, its backing, and that on this node."""
    lun = lunmap.luns[name]
    naa = ("naa", names.naa(lun.serial))
    if isinstance(lun.backing, RamDisk):
        return (naa,)
    return (naa, ("backing", source(lun.backing)), ("here", source_on(lun, node, lunmap.nodes[node])))


def _changed_luns(before: Lunmap, after: Lunmap) -> AbstractSet[str] | FullPass:
    """Return the names of the Luns that differ, or why these are not all that matters."""
    if (before.targets, before.groups, before.nodes) != (after.targets, after.groups, after.nodes):
        return FullPass.OTHER_OBJECTS
    if (
        differing_names(before.initiators, after.initiators)
        & before.initiators.keys()
        & after.initiators.keys()
    ):
        return FullPass.INITIATOR
    changed = differing_names(before.luns, after.luns)
    return changed if len(changed) <= MAX_CHANGED_LUNS else FullPass.MANY_LUNS


def _acl_key(item: lio_objects.MappedLun) -> lio_objects.Key:
    return lio_objects.parents_of(item)[0]
