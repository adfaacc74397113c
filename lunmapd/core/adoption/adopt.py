"""Adoption: the map that describes a foreign configuration, and the parts that no map can describe. Pure.

A target is adopted as a whole or not at all, with every storage object that it exports. lunmapd removes its
objects that are not in the map, so it must not adopt an object without an entry in the map.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct, structs

from lunmapd.core.adoption.convert import lun_of, target_of
from lunmapd.core.adoption.foreign import ForeignAcl, ForeignConfiguration, ForeignTpg
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import (
    Access,
    Authentication,
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
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.map.fill_in import with_free_port_ids
from lunmapd.core.node import lio_objects

_SEALED = "v1:00000000:" + "A" * 38
_DEMO = ("generate_node_acls", "cache_dynamic_acls")

NotAdoptable = dict[str, str]


class Adoption(Struct, frozen=True):
    """The map, and by target or storage object the reason why the map has no entry for it."""

    lunmap: Lunmap
    refused: Mapping[str, str]


def adopt(foreign: ForeignConfiguration, node: str) -> Adoption:
    """Return the map that describes the foreign configuration of one node, as far as a map can."""
    refused = _unfit(foreign)
    while True:
        tpgs = [tpg for tpg in foreign.tpgs if tpg.iqn not in refused]
        lunmap = _lunmap(foreign, tpgs, node)
        new = _spread(foreign, refused) or _clashes(lunmap, tpgs)
        if not new:
            return Adoption(lunmap, refused | _unused(foreign))
        refused |= new


def _unfit(foreign: ForeignConfiguration) -> NotAdoptable:
    """Return the targets that no map can describe, each considered alone."""
    refused: NotAdoptable = {}
    tags = Counter(tpg.tag for tpg in foreign.tpgs)
    usual = min(tags, key=lambda tag: (-tags[tag], tag), default=0)
    several = Counter(tpg.iqn for tpg in foreign.tpgs)
    for tpg in foreign.tpgs:
        if several[tpg.iqn] > 1:
            refused[tpg.iqn] = f"it has {several[tpg.iqn]} TPGs on this node; a map has one for each node"
        elif tpg.tag != usual:
            refused[tpg.iqn] = (
                f"its TPG has tag {tpg.tag}, the others {usual}; a node has one tag for all targets"
            )
        elif reasons := tuple(dict.fromkeys(_reasons(tpg, foreign))):
            refused[tpg.iqn] = "; ".join(reasons)
    return refused | _disagreeing(foreign, refused)


def _reasons(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[str]:
    if not tpg.enabled:
        yield "its TPG is disabled: enable it, or remove it"
    if any(tpg.attributes.get(name, "0") != "0" for name in _DEMO):
        yield (
            "demo mode admits initiators without an ACL: make an ACL for each initiator, then set "
            "generate_node_acls=0 and cache_dynamic_acls=0"
        )
    if not tpg.portals:
        yield "it has no portal"
    if foreign.discovery == lio_objects.NO_CREDENTIALS:
        yield "discovery requires CHAP, but has no user with a password: give it both, or let it require none"
    yield from tpg.problems
    yield from _lun_reasons(tpg, foreign)
    if _authentication(tpg) is not Authentication.MUTUAL_CHAP:
        yield from (
            f"{acl.initiator} has mutual CHAP, which a map can express only if the target requires it from "
            "all initiators: set authentication=1 and mutual CHAP for each, or clear it"
            for acl in tpg.acls
            if acl.credentials.userid_mutual
        )
    for acl in tpg.acls:
        yield from _acl_reasons(acl, tpg)


def _lun_reasons(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[str]:
    mapped = {entry.lun for acl in tpg.acls for entry in acl.maps}
    times = Counter(tpg.luns.values())
    alike = Counter(item.name for item in foreign.storage.values())
    for number, key in tpg.luns.items():
        item = foreign.storage.get(key)
        if item is None:
            yield f"its LUN {number} is half-made, or of a storage object that is not known"
        elif times[key] > 1:
            yield f"it exports {item.name} more than once"
        elif number not in mapped:
            yield f"its LUN {number} ({item.name}) is mapped to nobody: map it, or delete the LUN"
        elif alike[item.name] > 1:
            yield f"there are several storage objects named {item.name}"
        else:
            yield from (f"{item.name}: {problem}" for problem in item.problems)


def _acl_reasons(acl: ForeignAcl, tpg: ForeignTpg) -> Iterator[str]:
    yield from (f"ACL of {acl.initiator}: {problem}" for problem in acl.problems)
    if not acl.maps:
        yield f"the ACL of {acl.initiator} has no mapped LUN: map one, or delete the ACL"
    for entry in acl.maps:
        if entry.lun not in tpg.luns:
            yield f"mapped LUN {entry.number} of {acl.initiator} is half-made: delete it"
    if len({entry.lun for entry in acl.maps}) < len(acl.maps):
        yield f"{acl.initiator} sees one LUN under several numbers"


def _disagreeing(foreign: ForeignConfiguration, refused: AbstractSet[str] | NotAdoptable) -> NotAdoptable:
    """Return the targets for which an initiator has other credentials than for an earlier target.

    In a map an initiator has one pair.
    """
    earlier: dict[str, tuple[str, lio_objects.ChapCredentials]] = {}
    bad: NotAdoptable = {}
    for tpg in foreign.tpgs:
        for acl in tpg.acls if tpg.iqn not in refused else ():
            first, credentials = earlier.setdefault(acl.initiator, (tpg.iqn, acl.credentials))
            if credentials != acl.credentials:
                bad[tpg.iqn] = f"{acl.initiator} has other CHAP credentials here than for {first}"
    return bad


def _spread(foreign: ForeignConfiguration, refused: NotAdoptable) -> NotAdoptable:
    """Return the targets that share a storage object with a target that stays foreign."""
    theirs = {key: tpg.iqn for tpg in foreign.tpgs if tpg.iqn in refused for key in tpg.luns.values()}
    return {
        tpg.iqn: f"it shares {foreign.storage[key].name} with {theirs[key]}, which can't be adopted"
        for tpg in foreign.tpgs
        if tpg.iqn not in refused
        for key in tpg.luns.values()
        if key in theirs
    }


def _clashes(lunmap: Lunmap, tpgs: list[ForeignTpg]) -> NotAdoptable:
    """Return the targets that break a rule of the map, or whose Luns, initiators or nodes do."""
    return {
        iqn: f"it breaks a rule of the map: {problem}"
        for problem in rules.check_served(_filled(lunmap))
        for iqn in _concerned(problem, lunmap, tpgs)
    }


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


def _filled(lunmap: Lunmap) -> Lunmap:
    """Return the map with placeholders for passwords and for the values that a commit fills in."""
    full = change_credentials(lunmap, lambda _path, _field, chap: structs.replace(chap, password=_SEALED))
    luns = {
        name: structs.replace(lun, serial=lun.serial or f"{number:025x}")
        for number, (name, lun) in enumerate(full.luns.items())
    }
    return structs.replace(full, targets=with_free_port_ids(full.targets), luns=luns)


def _unused(foreign: ForeignConfiguration) -> NotAdoptable:
    used = {key for tpg in foreign.tpgs for key in tpg.luns.values()}
    return {
        item.name: "this storage object is exported by no target; it is left alone"
        for key, item in foreign.storage.items()
        if key not in used
    }


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
        authentication=_authentication(tpg),
    )


def _authentication(tpg: ForeignTpg) -> Authentication:
    mutual = bool(tpg.acls) and all(acl.credentials.userid_mutual for acl in tpg.acls)
    if tpg.attributes.get("authentication", "1") == "0":
        return Authentication.NONE
    return Authentication.MUTUAL_CHAP if mutual else Authentication.CHAP


def _initiator(credentials: lio_objects.ChapCredentials) -> Initiator:
    return Initiator(chap=_chap(credentials.userid), mutual_chap=_chap(credentials.userid_mutual))


def _discovery(credentials: lio_objects.ChapCredentials | None) -> Discovery | None:
    chap = _chap(credentials.userid) if credentials else None
    return Discovery(chap, _chap(credentials.userid_mutual)) if credentials and chap else None


def _chap(user: str) -> Chap | None:
    return Chap(user) if user else None
