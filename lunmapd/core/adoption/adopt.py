"""Adoption: the map that describes a foreign configuration, and the parts that no map can describe. Pure.

A target is adopted as a whole or not at all, with every storage object that it exports. lunmapd removes its
objects that are not in the map, so it must not adopt an object without an entry in the map.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct, structs

from lunmapd.core.adoption.complete import complete
from lunmapd.core.adoption.convert import lun_of, target_of
from lunmapd.core.adoption.foreign import ForeignConfiguration, ForeignTpg, own_tpgs, remote_tpgs
from lunmapd.core.adoption.unfit import NotAdoptable, authentication_of, find_sharing, find_unfit, is_whole
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import (
    Access,
    Chap,
    Discovery,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
    initiators_of,
)
from lunmapd.core.map import rules
from lunmapd.core.node import lio_objects

_SEALED = "v1:00000000:" + "A" * 38


class Adoption(Struct, frozen=True):
    """The map, and by target or storage object the reason why the map has no entry for it.

    `notes` are sentences about parts that need attention and prevent nothing.
    """

    lunmap: Lunmap
    refused: Mapping[str, str]
    notes: tuple[str, ...] = ()


def adopt(foreign: ForeignConfiguration, node: str) -> Adoption:
    """Return the map that describes the foreign configuration of one node, as far as a map can."""
    refused = _also_clashing(foreign, find_unfit(foreign), node)
    while True:
        tpgs = [tpg for tpg in own_tpgs(foreign) if tpg.iqn not in refused]
        lunmap = _lunmap(foreign, tpgs, node)
        new = find_sharing(foreign, refused) or _clashes(lunmap, tpgs)
        if not new:
            notes = (*foreign.notes, *_notes(foreign, lunmap))
            return Adoption(lunmap, refused | _left_alone(foreign), notes)
        refused |= new


def _notes(foreign: ForeignConfiguration, lunmap: Lunmap) -> Iterator[str]:
    """Yield what the admin should know of the adopted targets."""
    for tpg in remote_tpgs(foreign):
        if tpg.iqn in lunmap.targets:
            portals = ", ".join(sorted(tpg.portals)) or "no portal"
            yield (
                f"{tpg.iqn}: its disabled TPG {tpg.tag} ({portals}) shows another gateway in discovery: "
                f"put that gateway into the map as a node with tpg_tag {tpg.tag} and these portals that "
                "serves this target, or delete the TPG, before 'lunmapd adopt --take'; sessions stay"
            )
    for tpg in own_tpgs(foreign):
        tags = [acl.tag for acl in tpg.acls if acl.tag]
        if tpg.iqn in lunmap.targets and tags:
            yield (
                f"{tpg.iqn}: the tags of its ACLs ({', '.join(sorted(set(tags)))}) are names that targetcli "
                "shows, and are not in the map; no host sees them"
            )
        if tpg.iqn in lunmap.targets and tpg.attributes.get("cache_dynamic_acls", "0") != "0":
            yield (
                f"{tpg.iqn}: its cache_dynamic_acls is 1 and becomes 0; an initiator without an ACL that "
                "logged in during an earlier demo mode can log in once more"
            )


def _clashes(lunmap: Lunmap, tpgs: list[ForeignTpg]) -> NotAdoptable:
    """Return the targets that break a rule of the map, or whose Luns, initiators or nodes do."""
    found: dict[str, list[str]] = {}
    for problem in rules.check_served(complete(lunmap, lambda *_: _SEALED)):
        for iqn in _concerned(problem, lunmap, tpgs):
            found.setdefault(iqn, []).append(f"it breaks a rule of the map: {problem}")
    return {iqn: "; ".join(problems) for iqn, problems in found.items()}


def _also_clashing(foreign: ForeignConfiguration, refused: NotAdoptable, node: str) -> NotAdoptable:
    """Add the broken rules of each refused target, considered alone, to its reasons."""
    more: NotAdoptable = {}
    for tpg in own_tpgs(foreign):
        if tpg.iqn in refused and is_whole(tpg, foreign):
            more |= _clashes(_lunmap(foreign, [tpg], node), [tpg])
    return {iqn: f"{reasons}; {more[iqn]}" if iqn in more else reasons for iqn, reasons in refused.items()}


def _concerned(problem: Problem, lunmap: Lunmap, tpgs: list[ForeignTpg]) -> AbstractSet[str]:
    section, name, *rest = problem.place
    match section:
        case "targets":
            return {str(name)}
        case "luns":
            return {entry.target for entry in lunmap.luns[str(name)].maps}
        case "initiators":
            return {
                entry.target
                for lun in lunmap.luns.values()
                for entry in lun.maps
                if name in initiators_of(lunmap, entry)
            }
        case _:
            return {
                tpg.iqn for tpg in tpgs if not rest or rest[0] != "portals" or _has(tpg, lunmap, name, rest)
            }


def _has(tpg: ForeignTpg, lunmap: Lunmap, name: object, rest: list[str | int]) -> bool:
    return lunmap.nodes[str(name)].portals[int(rest[1])] in tpg.portals


def _left_alone(foreign: ForeignConfiguration) -> NotAdoptable:
    """Return the targets of other fabrics, and the storage objects that no iSCSI target exports."""
    used = {key for tpg in foreign.tpgs for key in tpg.luns.values()}
    others = {key: target for target, keys in foreign.others.items() for key in keys}
    left = dict.fromkeys(foreign.others, "lunmapd serves iSCSI targets only; this target is left alone")
    for key, item in foreign.storage.items():
        if key not in used:
            user = f"the target {others[key]} only" if key in others else "no target"
            left[item.name] = f"this storage object is exported by {user}; it is left alone"
    return left


def _lunmap(foreign: ForeignConfiguration, tpgs: list[ForeignTpg], node: str) -> Lunmap:
    if not tpgs:
        return Lunmap()
    portals = {address: iser for tpg in tpgs for address, iser in tpg.portals.items()}
    return Lunmap(
        luns=_luns(foreign, tpgs),
        targets={tpg.iqn: _target(tpg, node, portals) for tpg in tpgs},
        initiators={acl.initiator: _initiator(acl.credentials) for tpg in tpgs for acl in tpg.acls},
        nodes={
            node: Node(
                tpgs[0].tag,
                tuple(sorted(address for address, iser in portals.items() if not iser)),
                tuple(sorted(address for address, iser in portals.items() if iser)),
                discovery=_discovery(foreign.discovery),
            )
        },
    )


def _luns(foreign: ForeignConfiguration, tpgs: list[ForeignTpg]) -> dict[str, Lun]:
    maps: dict[str, list[Map]] = {}
    for tpg in tpgs:
        for acl in tpg.acls:
            for entry in acl.maps:
                key = tpg.luns[entry.lun]
                read_only = entry.read_only or foreign.storage[key].read_only
                access = Access.READ_ONLY if read_only else Access.READ_WRITE
                maps.setdefault(key, []).append(Map(tpg.iqn, entry.number, acl.initiator, access=access))
    return {
        foreign.storage[key].name: lun_of(foreign.storage[key], tuple(given)) for key, given in maps.items()
    }


def _target(tpg: ForeignTpg, node: str, portals: Mapping[str, bool]) -> Target:
    chosen = tuple(sorted(tpg.portals)) if tpg.portals.keys() != portals.keys() else ()
    return structs.replace(
        target_of(tpg),
        nodes={node: PortalGroup(tpg.port_id, chosen)},
        authentication=authentication_of(tpg),
    )


def _initiator(credentials: lio_objects.ChapCredentials) -> Initiator:
    return Initiator(chap=_chap(credentials.userid), mutual_chap=_chap(credentials.userid_mutual))


def _discovery(credentials: lio_objects.ChapCredentials | None) -> Discovery | None:
    chap = _chap(credentials.userid) if credentials else None
    return Discovery(chap, _chap(credentials.userid_mutual)) if credentials and chap else None


def _chap(user: str) -> Chap | None:
    return Chap(user) if user else None
