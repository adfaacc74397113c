"""What a node wants, where the map can be trusted; and what stays as it is, where it can't."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.backings import SizeSource, plugin_of
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.history.changes import build_map
from lunmapd.core.map.rules import faults
from lunmapd.core.node import lio_objects
from lunmapd.core.node.chap import add_credentials
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.project import is_remote, project_map
from lunmapd.core.secrets.sealing import Vault

_MAX_MESSAGE = 500


class Desired(Struct, frozen=True):
    """The objects that a node must have, and what can't be had, by key; such things stay as they are observed."""

    objects: lio_objects.Objects
    failures: Mapping[lio_objects.Key, Failure]


def compute_desired(
    lunmap: Lunmap, unreadable: Mapping[str, str], node: str, observed: Observed, vault: Vault
) -> Desired:
    """Return what `node` must have. `unreadable` are the paths of documents that can't be decoded, with the reason.

    `vault` opens the secrets. Documents are trusted one by one: what belongs to an unreadable one, or to one that breaks a rule, stays.
    """
    broken = broken_documents(lunmap)
    bad = unreadable.keys() | broken.keys()
    trusted = _without_documents(lunmap, broken.keys())
    projected = project_map(trusted, node, observed.features, observed.foreign, observed.objects)
    wanted, refused = add_credentials(projected, observed.objects, trusted, node, vault)
    failures = {
        _document_key(path): _failure(Reason.DOCUMENT_UNREADABLE, reason)
        for path, reason in unreadable.items()
    }
    failures |= {
        _document_key(path): _failure(Reason.DOCUMENT_INVALID, reason) for path, reason in broken.items()
    }
    failures |= _foreign_targets(lunmap, node, observed.foreign) | _short_devices(trusted, wanted, observed)
    failures |= _missing_backings(wanted, observed) | refused
    return Desired(keep_observed(wanted, observed.objects, bad, node) if bad else wanted, failures)


def _failure(reason: Reason, sentence: str) -> Failure:
    """Make a failure of a sentence that may quote whatever somebody wrote, in a length that many of them have room for."""
    return Failure(reason, sentence if len(sentence) <= _MAX_MESSAGE else f"{sentence[:_MAX_MESSAGE]}...")


def _document_key(path: str) -> lio_objects.Key:
    return ("document", path)


def _without_documents(lunmap: Lunmap, bad: AbstractSet[str]) -> Lunmap:
    if not bad:
        return lunmap
    return build_map(
        {
            section: {
                name: item for name, item in lunmap.section(section).items() if f"{section}/{name}" not in bad
            }
            for section in SECTIONS
        }
    )


def _foreign_targets(lunmap: Lunmap, node: str, foreign: AbstractSet[str]) -> dict[lio_objects.Key, Failure]:
    sentence = (
        "this target was made by another tool and is left alone; remove it there, or choose another name"
    )
    return {
        ("target", iqn): Failure(Reason.FOREIGN_TARGET, sentence)
        for iqn, target in lunmap.targets.items()
        if iqn in foreign and node in target.nodes
    }


def _missing_backings(wanted: lio_objects.Objects, observed: Observed) -> dict[lio_objects.Key, Failure]:
    """Tell of backings that went away under a storage object, which stays as it is: its device may come back."""
    names = (("storage_object", name) for name in sorted(observed.missing))
    sentence = (
        "what is behind it is not there any more; it stays exported, and what initiators do with it may fail"
    )
    return {name: Failure(Reason.BACKING_MISSING, sentence) for name in names if name in wanted}


def _short_devices(
    lunmap: Lunmap, wanted: lio_objects.Objects, observed: Observed
) -> dict[lio_objects.Key, Failure]:
    """Tell of devices that have less than the map says; they stay exported with what they have."""
    found = dict[lio_objects.Key, Failure]()
    for name, size in observed.sizes.items():
        lun, key = lunmap.luns.get(name), ("storage_object", name)
        if (
            lun is not None
            and key in wanted
            and plugin_of(lun.backing).size is SizeSource.DECLARED
            and size < (lun.size or 0)
        ):
            sentence = f"its device has {size} bytes, the Lun {lun.size}: enlarge the device on this node, or correct the size of the Lun"
            found[key] = Failure(Reason.SIZE_MISMATCH, sentence)
    return found


def broken_documents(lunmap: Lunmap) -> dict[str, str]:
    """Return the objects that break a rule, as path and first sentence; only edits around the tools make such."""
    found: dict[str, str] = {}
    for problem in faults(lunmap):
        section, name = problem.place[:2]
        found.setdefault(f"{section}/{name}", str(problem))
    return _luns_of_broken_groups(lunmap, found) | found


def _luns_of_broken_groups(lunmap: Lunmap, bad: Mapping[str, str]) -> dict[str, str]:
    """Return the Luns that are mapped to a group that can't be trusted: who sees them is not known."""
    return {
        f"luns/{name}": f"it is mapped to a group that can't be served: {bad[f'groups/{entry.group}']}"
        for name, lun in lunmap.luns.items()
        for entry in lun.maps
        if f"groups/{entry.group}" in bad
    }


def keep_observed(
    desired: lio_objects.Objects, observed: lio_objects.Objects, bad: AbstractSet[str], node: str
) -> dict[lio_objects.Key, lio_objects.Object]:
    """Let what belongs to the `bad` paths (such as `luns/db1`) stay as it is observed, with all it stands on.

    Unreadable is not absent: neither removed nor changed.
    """
    result = {name: item for name, item in desired.items() if not _belongs_to(item, bad, node)}
    waiting = [item for item in observed.values() if _belongs_to(item, bad, node)]
    waiting += _remote_objects(observed, bad)
    while waiting:
        item = waiting.pop()
        result[lio_objects.key_of(item)] = item
        waiting.extend(
            observed[parent]
            for parent in lio_objects.parents_of(item)
            if parent in observed and parent not in result
        )
    return result


def _remote_objects(observed: lio_objects.Objects, bad: AbstractSet[str]) -> list[lio_objects.Object]:
    """Return all that stands for other nodes, if one of these can't be read: whose it is can't be told by its tag."""
    if not any(path.startswith("nodes/") for path in bad):
        return []
    remote = {
        (item.iqn, item.tag)
        for item in observed.values()
        if isinstance(item, lio_objects.Tpg) and is_remote(item)
    }
    return [
        item
        for item in observed.values()
        if (getattr(item, "iqn", None), getattr(item, "tag", None)) in remote
    ]


def _belongs_to(item: lio_objects.Object, bad: AbstractSet[str], node: str) -> bool:
    if isinstance(item, lio_objects.Leftover):
        return False
    return (
        f"nodes/{node}" in bad
        or f"luns/{lio_objects.lun_served_by(item)}" in bad
        or f"targets/{getattr(item, 'iqn', None)}" in bad
        or f"initiators/{getattr(item, 'initiator', None)}" in bad
    )
