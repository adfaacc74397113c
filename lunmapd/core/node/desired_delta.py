"""The desired objects of a node, updated at a cost that depends on the changed Luns, not on the map.

A DesiredView is built after a full pass with a completely known desired state. It computes the delta for
added, removed and changed Luns and for added and removed initiators. Any other change needs a full pass.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base import names
from lunmapd.core.base.backings import RamDisk, source
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.map_change import MapChange, change_between, names_in
from lunmapd.core.map.rule_index import part_with
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_failures import is_open_for_reading
from lunmapd.core.node.desire import broken_documents
from lunmapd.core.node.overlay import Overlay
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.project_lun import project_lun
from lunmapd.core.node.projection.project_target import served_targets
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.secrets.sealing import SecretOpener

_FOLLOWED = {"luns", "initiators"}
"""The sections whose changes a view can follow."""

MAX_CHANGED_LUNS = 100
"""A change of more Luns needs a full pass."""


class Delta(Struct, frozen=True):
    """The part of a node's objects that a change to `lunmap` concerns.

    `keys` are the keys of these objects before and after the change, `desired` the objects after it, by key.
    `luns` are the names of the changed Luns. `maps` counts the mapped LUNs after the change by the key of the
    ACL.
    """

    keys: AbstractSet[lio_objects.Key]
    desired: lio_objects.DesiredObjects
    lunmap: Lunmap
    luns: AbstractSet[str]
    maps: Counter[lio_objects.Key]


class DesiredView:
    """The desired objects of a node, with the indexes that show whether a change affects other Luns.

    `_owners` maps the kind of a unique value (`naa`, `backing`, `here`) to value to the name of the Lun that
    has it.
    """

    def __init__(
        self,
        lunmap: Lunmap,
        node: str,
        vault: SecretOpener,
        foreign: AbstractSet[str],
        desired: lio_objects.DesiredObjects,
    ) -> None:
        """Start after a full pass with the `desired` objects of `node`, without those of `foreign` ones."""
        self.lunmap = lunmap
        self.desired = Overlay(desired)
        self._node = node
        self.vault = vault
        # Targets and nodes do not change as long as a view is used.
        self._serves = served_targets(lunmap, node, foreign)
        # A mapping for each kind: tuples of kind and value as keys would take more memory than the values.
        self._owners: dict[str, dict[str, str]] = {"naa": {}, "backing": {}, "here": {}}
        self._record_owners(lunmap, lunmap.luns)
        self._maps = Counter(
            _acl_key(item) for item in desired.values() if isinstance(item, lio_objects.MappedLun)
        )

    def _record_owners(self, lunmap: Lunmap, luns: Iterable[str]) -> None:
        """Record the unique values of these Luns."""
        for name in luns:
            for kind, value in _unique_values(lunmap, name, self._node):
                self._owners[kind][value] = name

    def delta_to(self, lunmap: Lunmap, known: MapChange | None = None) -> Delta | FullPass:
        """Return the delta to another map, or the reason why a full pass is needed.

        `known` is the change that led to that map, if it is known. `advance` moves the view to that map.
        """
        change = change_between(self.lunmap, lunmap, known)
        changed = _changed_luns(change)
        if isinstance(changed, FullPass):
            return changed
        if (reason := self._conflict(change, changed)) is not None:
            return reason
        before, after = self._objects(self.lunmap, changed), self._objects(lunmap, changed)
        if any(self._takes_lun_number(item, changed) for item in after.values()):
            return FullPass.LUN_NUMBER
        maps = self._count_maps(before, after)
        desired: dict[lio_objects.Key, lio_objects.DesiredObject] = {
            key: item for key, item in after.items() if not isinstance(item, lio_objects.NodeAcl)
        }
        # An ACL, also that of a remote TPG, stays while any Lun is mapped through it.
        desired |= {
            key: item
            for key, item in (before | after).items()
            if isinstance(item, lio_objects.NodeAcl)
            and maps[lio_objects.key_of(replace(item, tag=self._serves[item.iqn].own[0]))]
        }
        desired, failures = add_credentials(desired, {}, lunmap, self._node, self.vault)
        if failures:
            return FullPass.CHAP
        return Delta(before.keys() | after.keys(), desired, lunmap, changed, maps)

    def advance(self, delta: Delta) -> None:
        """Move the view to the map of a delta that `delta_to` returned."""
        for name in delta.luns & self.lunmap.luns.keys():
            for kind, value in _unique_values(self.lunmap, name, self._node):
                self._owners[kind].pop(value, None)
        self._record_owners(delta.lunmap, delta.luns & delta.lunmap.luns.keys())
        for key in delta.keys:
            self.desired.pop(key, None)
        self.desired.update(delta.desired)
        self.lunmap, self._maps = delta.lunmap, delta.maps

    def _objects(
        self, lunmap: Lunmap, changed: AbstractSet[str]
    ) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
        luns = (name for name in changed if name in lunmap.luns)
        objects = (project_lun(lunmap, name, self._node, self._serves) for name in luns)
        return lio_objects.by_key(chain.from_iterable(objects))

    def _conflict(self, change: MapChange, changed: AbstractSet[str]) -> FullPass | None:
        """Return why the changed Luns can't be judged without the others, None if they can."""
        lunmap = change.after
        some = changed & lunmap.luns.keys()
        # The part that the rules have to be checked on: targets and nodes do not change.
        if broken_documents(part_with(lunmap, change.objects)):
            return FullPass.RULES
        owners = (
            self._owners[kind].get(value)
            for name in some
            for kind, value in _unique_values(lunmap, name, self._node)
        )
        if any(owner is not None and owner not in changed for owner in owners):
            return FullPass.IDENTITY
        return FullPass.READ_ONLY if any(map(self._is_open_for_reading, changed)) else None

    def _is_open_for_reading(self, name: str) -> bool:
        """Return whether LIO has the Lun's device open for reading alone.

        Whether the device accepts writes now is known to a full observation only.
        """
        return is_open_for_reading(self.desired.get(("storage_object", name)))

    def _takes_lun_number(self, item: lio_objects.DesiredObject, changed: AbstractSet[str]) -> bool:
        """Return whether the object would take the LUN number of a Lun that does not change."""
        other = self.desired.get(lio_objects.key_of(item))
        return isinstance(other, lio_objects.MappedLun) and other.storage_object not in changed

    def _count_maps(
        self, before: lio_objects.DesiredObjects, after: lio_objects.DesiredObjects
    ) -> Counter[lio_objects.Key]:
        """Return the number of mapped LUNs after the change by the key of the ACL."""
        maps = Counter(self._maps)
        maps.subtract(_acl_key(item) for item in before.values() if isinstance(item, lio_objects.MappedLun))
        maps.update(_acl_key(item) for item in after.values() if isinstance(item, lio_objects.MappedLun))
        return maps


def _unique_values(lunmap: Lunmap, name: str, node: str) -> tuple[tuple[str, str], ...]:
    """Return kind and value of each unique value of a Lun: NAA identifier, backing, backing on this node."""
    lun = lunmap.luns[name]
    naa = ("naa", names.naa(lun.serial))
    if isinstance(lun.backing, RamDisk):
        return (naa,)
    return (naa, ("backing", source(lun.backing)), ("here", source_on(lun, node, lunmap.nodes[node])))


def _changed_luns(change: MapChange) -> AbstractSet[str] | FullPass:
    """Return the names of the Luns that differ, or the reason why a full pass is needed."""
    if not {section for section, _ in change.objects} <= _FOLLOWED:
        return FullPass.OTHER_OBJECTS
    initiators = names_in("initiators", change.objects)
    if initiators & change.before.initiators.keys() & change.after.initiators.keys():
        return FullPass.INITIATOR
    changed = names_in("luns", change.objects)
    return changed if len(changed) <= MAX_CHANGED_LUNS else FullPass.MANY_LUNS


def _acl_key(item: lio_objects.MappedLun) -> lio_objects.Key:
    return lio_objects.parents_of(item)[0]
