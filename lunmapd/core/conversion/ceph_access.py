"""The access of initiators in ceph-iscsi's `gateway.conf`: clients, groups, CHAP and maps. Pure."""

from collections.abc import Iterator, Mapping

from lunmapd.core.base.lunmap import Authentication, Chap, Discovery, Group, Initiator, Map
from lunmapd.core.conversion.ceph_document import CephAuth, CephClient, CephDocument, CephPair, CephTarget
from lunmapd.core.conversion.conversion import Choices, Notes
from lunmapd.core.map.credentials import (
    CHAP,
    DISCOVERY_CHAP,
    DISCOVERY_MUTUAL,
    MUTUAL,
    initiator_path,
    node_path,
)


def maps_of_disks(document: CephDocument, choices: Choices) -> dict[str, tuple[Map, ...]]:
    """Return the maps of each disk, by its key: to a group where all its members see the disk alike."""
    maps: dict[str, list[Map]] = {}
    groups = {(iqn, group): name for name, group, iqn in _group_names(document.all_targets())}
    for iqn, target in document.all_targets().items():
        grouped = _grouped(target)
        for (group, key), number in sorted(grouped.items()):
            maps.setdefault(key, []).append(Map(iqn, number, group=groups[iqn, group]))
        for initiator, client in target.clients.items():
            for key, lun in client.luns.items():
                if lun.lun_id is not None and (client.group_name, key) not in grouped:
                    maps.setdefault(key, []).append(Map(iqn, lun.lun_id, initiator))
        for key, number in () if target.acl_enabled else target.disk_numbers().items():
            maps.setdefault(key, []).extend(Map(iqn, number, initiator) for initiator in choices.initiators)
    return {key: tuple(entries) for key, entries in maps.items()}


def _grouped(target: CephTarget) -> dict[tuple[str, str], int]:
    """Return the numbers of the disks that all members of a group see with the group's number."""
    return {
        (name, key): lun.lun_id
        for name, group in target.groups.items()
        for key, lun in group.disks.items()
        if lun.lun_id is not None
        and group.members
        and all(_sees(target.clients.get(member), name, key, lun.lun_id) for member in group.members)
    }


def _sees(client: CephClient | None, group: str, key: str, number: int) -> bool:
    lun = client.luns.get(key) if client and client.group_name == group else None
    return lun is not None and lun.lun_id == number


def _group_names(targets: Mapping[str, CephTarget]) -> Iterator[tuple[str, str, str]]:
    """Yield the name in the map, the name and the target of each group; a map has one set of names."""
    seen: dict[str, int] = {}
    for iqn, target in targets.items():
        for group in target.groups:
            seen[group] = seen.get(group, 0) + 1
            yield (group if seen[group] == 1 else f"{group}-{seen[group]}"), group, iqn


def groups_of_targets(targets: Mapping[str, CephTarget]) -> dict[str, Group]:
    """Return the groups of all targets, by their names in the map."""
    return {
        name: Group(tuple(sorted(targets[iqn].groups[group].members)))
        for name, group, iqn in _group_names(targets)
    }


def authentication_asked(target: CephTarget) -> Authentication:
    """Return the CHAP that a target asks for: LIO asks all initiators of a TPG, or none."""
    pairs = [client.auth for client in target.clients.values()]
    if pairs and all(auth.outgoing() for auth in pairs):
        return Authentication.MUTUAL_CHAP
    asks = any(auth.incoming() for auth in pairs)
    return Authentication.CHAP if asks else Authentication.NONE


def initiators_of_targets(
    targets: Mapping[str, CephTarget], choices: Choices, notes: Notes, name: str
) -> dict[str, Initiator]:
    """Return the initiators of all targets, and those that were chosen if a target admits all."""
    found: dict[str, Initiator] = {}
    for iqn, target in targets.items():
        for initiator, client in target.clients.items():
            place = f"{name}: targets.{iqn}.clients.{initiator}"
            made = _initiator(initiator, client, notes, place)
            if found.setdefault(initiator, made) != made:
                notes.lost(f"{place}.auth", "another target has another CHAP user for this initiator")
            if client.controls:
                notes.lost(f"{place}.controls", "settings of one initiator")
            notes.carried(place, f"initiators[{initiator}]")
    admits_all = any(not target.acl_enabled for target in targets.values())
    return found | {item: Initiator() for item in choices.initiators if admits_all and item not in found}


def _initiator(name: str, client: CephClient, notes: Notes, place: str) -> Initiator:
    path = initiator_path(name)
    return Initiator(
        chap=_chap(client.auth.incoming(), (path, CHAP), notes, f"{place}.auth"),
        mutual_chap=_chap(client.auth.outgoing(), (path, MUTUAL), notes, f"{place}.auth"),
    )


def _chap(pair: CephPair | None, field: tuple[str, str], notes: Notes, place: str) -> Chap | None:
    if pair is None:
        return None
    if pair.encrypted:
        notes.lost(place, f"the password of user {pair.user}: only the gateways' RSA key opens it")
    else:
        notes.passwords[field] = pair.secret
    return Chap(pair.user)


def discovery_of(auth: CephAuth, nodes: list[str], notes: Notes, place: str) -> Discovery | None:
    """Return the CHAP of discovery, the same on each node."""
    pairs = [(auth.incoming(), DISCOVERY_CHAP), (auth.outgoing(), DISCOVERY_MUTUAL)]
    chaps = [[_chap(pair, (node_path(node), field), notes, place) for pair, field in pairs] for node in nodes]
    first, mutual = chaps[0] if chaps else (None, None)
    return Discovery(first, mutual) if first else None
