"""The desired objects of a node: from the map where its documents are valid, else as observed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import SECTIONS, Lunmap, Map, nodes_of
from lunmapd.core.base.reasons import Reason
from lunmapd.core.history.changes import build_map
from lunmapd.core.map.rules import check_served
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_failures import find_backing_failures, keep_read_only
from lunmapd.core.node.closed_access import close_access
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.node.projection.project_target import is_always_listed
from lunmapd.core.secrets.sealing import SecretOpener

_MAX_MESSAGE = 500  # characters


class Desired(Struct, frozen=True):
    """The desired objects by key, and the failures of those that can't be as the map says, by key.

    Objects of a failed document stay as observed. A failure's key is that of an object, or `("document",
    path)`.
    """

    objects: lio_objects.DesiredObjects
    failures: Mapping[lio_objects.Key, Failure]


def compute_desired(
    lunmap: Lunmap, unreadable: Mapping[str, str], node: str, observed: Observed, vault: SecretOpener
) -> Desired:
    """Return the desired objects of `node`.

    `unreadable` maps the path of each document that can't be decoded (`luns/db1`) to the reason. `vault`
    opens the secrets. Documents are judged one by one: objects of an unreadable document, or of one that
    breaks a rule, stay as observed.
    """
    readable = _without_unreadable_ends(lunmap, unreadable.keys(), observed.objects)
    broken = broken_documents(readable)
    bad = unreadable.keys() | broken.keys()
    trusted = _without_documents(readable, broken.keys())
    projected = project_map(trusted, node, observed.features, observed.foreign, observed.objects)
    projected = _keep_backings(projected, observed.objects, _luns_with_ends(lunmap, bad))
    desired, refused = add_credentials(projected, observed.objects, trusted, node, vault)
    failures = {
        _document_key(path): _failure(Reason.DOCUMENT_UNREADABLE, reason)
        for path, reason in unreadable.items()
    }
    failures |= {
        _document_key(path): _failure(Reason.DOCUMENT_INVALID, reason) for path, reason in broken.items()
    }
    failures |= _foreign_targets(lunmap, node, observed.foreign) | _misspelled(observed)
    failures |= find_backing_failures(trusted, desired, observed) | refused
    wanted = keep_read_only(desired, observed)
    return Desired(keep_observed(wanted, observed.objects, bad, node) if bad else wanted, failures)


def _failure(reason: Reason, sentence: str) -> Failure:
    """Return a failure with a message of at most _MAX_MESSAGE: it may quote any text of a document."""
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


def _without_unreadable_ends(
    lunmap: Lunmap, unreadable: AbstractSet[str], observed: lio_objects.Objects
) -> Lunmap:
    """Return the map without the entries of Luns whose target or initiator can't be read.

    A Lun that the node has not made yet keeps them, and so breaks a rule: which nodes report the Lun, and
    thereby its attributes, can't be known. The other Luns are served as far as their ends can be read.
    """
    made = [name for name in _luns_with_ends(lunmap, unreadable) if ("storage_object", name) in observed]
    if not made:
        return lunmap
    luns = dict(lunmap.luns)
    for name in made:
        maps = (entry for entry in luns[name].maps if unreadable.isdisjoint(_ends(entry)))
        luns[name] = replace(luns[name], maps=tuple(maps))
    return replace(lunmap, luns=luns)


def _luns_with_ends(lunmap: Lunmap, bad: AbstractSet[str]) -> frozenset[str]:
    """Return the Luns with a map whose target or initiator is one of the `bad` paths."""
    if not any(path.startswith(("targets/", "initiators/")) for path in bad):
        return frozenset()
    return frozenset(
        name
        for name, lun in lunmap.luns.items()
        if any(not bad.isdisjoint(_ends(entry)) for entry in lun.maps)
    )


def _ends(entry: Map) -> tuple[str, str]:
    return f"targets/{entry.target}", f"initiators/{entry.initiator}"


def _keep_backings(
    desired: dict[lio_objects.Key, lio_objects.DesiredObject],
    observed: lio_objects.Objects,
    luns: AbstractSet[str],
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return the desired objects, with the storage objects of these Luns as observed.

    Their attributes and target port groups depend on all maps of the Lun and on the nodes of all its targets.
    """
    if not luns:
        return desired
    there = {
        item.name: item
        for item in observed.values()
        if isinstance(item, lio_objects.StorageObject) and item.name in luns
    }
    return {key: _with_backing(item, there) for key, item in desired.items()}


def _with_backing(
    item: lio_objects.DesiredObject, backings: Mapping[str, lio_objects.StorageObject]
) -> lio_objects.DesiredObject:
    match item:
        case lio_objects.StorageObject():
            return backings.get(item.name, item)
        case lio_objects.TpgLun() if item.storage_object in backings:
            alua = backings[item.storage_object].alua
            return replace(item, group=0 if alua is None else alua.id)
        case _:
            return item


def _foreign_targets(lunmap: Lunmap, node: str, foreign: AbstractSet[str]) -> dict[lio_objects.Key, Failure]:
    sentence = (
        "the target was made by another tool and is left alone: remove it there, or choose another name"
    )
    return {
        ("target", iqn): Failure(Reason.FOREIGN_TARGET, sentence)
        for iqn, target in lunmap.targets.items()
        if iqn in foreign and node in nodes_of(target)
    }


def _misspelled(observed: Observed) -> dict[lio_objects.Key, Failure]:
    """Report directories that are not spelled as any tool does: removing one could cut what it duplicates."""
    sentence = (
        "this directory was made by hand, and LIO takes its name for a number that another directory may "
        "have; it is left alone, and may give an initiator access that the map does not: remove it with rmdir"
    )
    return {("directory", path): _failure(Reason.FOREIGN_DIRECTORY, sentence) for path in observed.misspelled}


def broken_documents(lunmap: Lunmap) -> dict[str, str]:
    """Return the documents that break a rule: path to the first problem.

    Only out-of-band edits can do that.
    """
    broken: dict[str, str] = {}
    for problem in check_served(lunmap):
        section, name = problem.place[:2]
        broken.setdefault(f"{section}/{name}", str(problem))
    return _luns_of_broken_groups(lunmap, broken) | broken


def _luns_of_broken_groups(lunmap: Lunmap, bad: Mapping[str, str]) -> dict[str, str]:
    """Return the Luns with a map to a broken group, whose initiators are not known: path to reason."""
    return {
        f"luns/{name}": f"it is mapped to an invalid group: {bad[f'groups/{entry.group}']}"
        for name, lun in lunmap.luns.items()
        for entry in lun.maps
        if f"groups/{entry.group}" in bad
    }


def keep_observed(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects, bad: AbstractSet[str], node: str
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return the desired objects, with those of the `bad` paths (`luns/db1`) and their parents as observed.

    Unreadable is not absent: such objects are neither removed nor changed, but for access that was opened out
    of band and that no map gives. Leftovers are not kept.
    """
    there = lio_objects.complete_objects(observed)
    result = {key: item for key, item in desired.items() if not _belongs_to(item, bad, node)}
    waiting = [item for item in there.values() if _belongs_to(item, bad, node)]
    waiting += _remote_objects(there, desired, bad)
    while waiting:
        item = waiting.pop()
        result[lio_objects.key_of(item)] = close_access(item)
        waiting.extend(
            there[parent]
            for parent in lio_objects.parents_of(item)
            if parent in there and parent not in result
        )
    return result


def _remote_objects(
    observed: lio_objects.DesiredObjects, desired: lio_objects.DesiredObjects, bad: AbstractSet[str]
) -> list[lio_objects.DesiredObject]:
    """Return the observed remote TPGs and their contents, if the document of any node is bad.

    The tag of a remote TPG does not identify its node without that node's document. A TPG that is desired
    belongs to another node, or to a floating group.
    """
    if not any(path.startswith("nodes/") for path in bad):
        return []
    remote = {
        (item.iqn, item.tag)
        for key, item in observed.items()
        if isinstance(item, lio_objects.Tpg) and is_always_listed(item) and key not in desired
    }
    return [
        item
        for item in observed.values()
        if (getattr(item, "iqn", None), getattr(item, "tag", None)) in remote
    ]


def _belongs_to(item: lio_objects.DesiredObject, bad: AbstractSet[str], node: str) -> bool:
    return (
        f"nodes/{node}" in bad
        or f"luns/{lio_objects.lun_served_by(item)}" in bad
        or f"targets/{getattr(item, 'iqn', None)}" in bad
        or f"initiators/{getattr(item, 'initiator', None)}" in bad
    )
