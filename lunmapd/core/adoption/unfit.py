"""The reasons why a target can't be described by a map, each with what to do about it. Pure.

All reasons of a target are given at once, since a repair may cost an outage. A reason that needs a new
storage object or a new login of a host says so; the others are repaired while sessions stay.
"""

from collections import Counter
from collections.abc import Iterator

from lunmapd.core.adoption.foreign import (
    ForeignAcl,
    ForeignConfiguration,
    ForeignTpg,
    own_tpgs,
    remote_tpgs,
)
from lunmapd.core.adoption.saveconfig import ANEW
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.lunmap import Authentication
from lunmapd.core.node import lio_objects

NotAdoptable = dict[str, str]
"""Name of a target or storage object to its reasons."""


def find_unfit(foreign: ForeignConfiguration) -> NotAdoptable:
    """Return the targets that no map can describe, each considered alone."""
    found: dict[str, list[str]] = {}
    own = own_tpgs(foreign)
    tags = Counter(tpg.tag for tpg in own)
    usual = min(tags, key=lambda tag: (-tags[tag], tag), default=0)
    enabled = Counter(tpg.iqn for tpg in foreign.tpgs if tpg.enabled)
    for tpg in own:
        reasons = found.setdefault(tpg.iqn, [])
        if enabled[tpg.iqn] > 1:
            reasons.append(
                f"it has {enabled[tpg.iqn]} enabled TPGs on this node, and a map has one for each node: give "
                "each TPG a target of its own, or disable the others; the hosts have to log in again"
            )
        if tpg.tag != usual:
            reasons.append(
                f"its TPG has tag {tpg.tag}, the others {usual}; a node has one tag for all targets: make "
                f"the TPG anew with tag {usual}; the hosts have to log in again"
            )
        reasons.extend(_reasons(tpg, foreign))
    refused = {iqn: "; ".join(dict.fromkeys(reasons)) for iqn, reasons in found.items() if reasons}
    return refused | _disagreeing(foreign, refused)


def _reasons(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[str]:
    if not tpg.enabled:
        yield "its TPG is disabled: enable that of this node, or remove the target; it has no session"
    if tpg.attributes.get("generate_node_acls", "0") != "0":
        yield (
            "demo mode admits initiators without an ACL: make an ACL with mapped LUNs for each initiator, "
            "then set generate_node_acls=0; sessions stay"
        )
    if tpg.dynamic:
        yield (
            f"{', '.join(tpg.dynamic)} logged in without an ACL: make an ACL with mapped LUNs for each; "
            "sessions stay"
        )
    if not tpg.portals:
        yield "it has no portal: add one; sessions stay"
    if foreign.discovery == lio_objects.NO_CREDENTIALS:
        yield (
            "discovery requires CHAP, but has no user with a password: give it both, or let it require none; "
            "sessions stay"
        )
    yield from tpg.problems
    yield from _lun_reasons(tpg, foreign)
    yield from _remote_reasons(tpg, foreign)
    if authentication_of(tpg) is not Authentication.MUTUAL_CHAP:
        yield from (
            f"{acl.initiator} has mutual CHAP, which a map can express only if the target requires it from "
            "all initiators: set authentication=1 and mutual CHAP for each, or clear it; sessions stay, and "
            "the next logins need what is set"
            for acl in tpg.acls
            if acl.credentials.userid_mutual
        )
    for acl in tpg.acls:
        yield from _acl_reasons(acl, tpg)


def _remote_reasons(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[str]:
    """Yield what a disabled TPG of the target has that the enabled one has not."""
    exported = set(tpg.luns.values())
    for other in remote_tpgs(foreign):
        for number, key in other.luns.items() if other.iqn == tpg.iqn else ():
            if key not in exported:
                yield f"its disabled TPG {other.tag} has a LUN {number} that TPG {tpg.tag} has not: delete it"


def _lun_reasons(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[str]:
    mapped = {entry.lun for acl in tpg.acls for entry in acl.maps}
    times = Counter(tpg.luns.values())
    alike = Counter(item.name for item in foreign.storage.values())
    for number, key in tpg.luns.items():
        item = foreign.storage.get(key)
        if item is None:
            yield f"its LUN {number} is half-made, or of an unknown storage object: delete the LUN"
            continue
        if times[key] > 1:
            yield f"it exports {item.name} more than once: delete all its LUNs but one; hosts lose these"
        if number not in mapped:
            yield (
                f"its LUN {number} ({item.name}) is mapped to nobody: map or delete the LUN; sessions stay"
            )
        if alike[item.name] > 1:
            yield f"there are several storage objects named {item.name}: make one anew; {ANEW}"
        yield from (f"{item.name}: {problem}" for problem in item.problems)


def _acl_reasons(acl: ForeignAcl, tpg: ForeignTpg) -> Iterator[str]:
    yield from (f"ACL of {acl.initiator}: {problem}" for problem in acl.problems)
    if not acl.maps:
        yield f"the ACL of {acl.initiator} has no mapped LUN: map one, or delete the ACL; its sessions end"
    for entry in acl.maps:
        if entry.lun not in tpg.luns:
            yield f"mapped LUN {entry.number} of {acl.initiator} is half-made: delete it"
    if len({entry.lun for entry in acl.maps}) < len(acl.maps):
        yield (
            f"{acl.initiator} sees one LUN under several numbers: delete all its mapped LUNs of that LUN but "
            "one; the host loses these"
        )
    if authentication_of(tpg) is not Authentication.NONE and not acl.credentials.userid:
        yield (
            f"{acl.initiator} has no CHAP user, and the target requires CHAP, so it can't log in: give its "
            "ACL a user and a password, or delete the ACL"
        )


def _disagreeing(foreign: ForeignConfiguration, refused: NotAdoptable) -> NotAdoptable:
    """Return the targets for which an initiator has other credentials than for an earlier target.

    In a map an initiator has one pair.
    """
    earlier: dict[str, tuple[str, lio_objects.ChapCredentials]] = {}
    bad: NotAdoptable = {}
    for tpg in own_tpgs(foreign):
        for acl in tpg.acls if tpg.iqn not in refused else ():
            first, credentials = earlier.setdefault(acl.initiator, (tpg.iqn, acl.credentials))
            if credentials != acl.credentials:
                bad[tpg.iqn] = (
                    f"{acl.initiator} has other CHAP credentials here than for {first}: give it the same "
                    "for both; sessions stay, and the next logins need what is set"
                )
    return bad


def find_sharing(foreign: ForeignConfiguration, refused: NotAdoptable) -> NotAdoptable:
    """Return the targets that share a storage object with a target that stays foreign."""
    theirs = {key: target for target, keys in foreign.others.items() for key in keys}
    theirs |= {key: tpg.iqn for tpg in foreign.tpgs if tpg.iqn in refused for key in tpg.luns.values()}
    return {
        tpg.iqn: (
            f"it shares {foreign.storage[key].name} with {theirs[key]}, which can't be adopted: "
            "mend or remove that one first"
        )
        for tpg in foreign.tpgs
        if tpg.iqn not in refused
        for key in tpg.luns.values()
        if key in theirs
    }


def is_whole(tpg: ForeignTpg, foreign: ForeignConfiguration) -> bool:
    """Return whether it has portals, each LUN is of a known storage object, and each mapped LUN of a LUN."""
    known = all(
        key in foreign.storage and foreign.storage[key].plugin in PLUGINS for key in tpg.luns.values()
    )
    return (
        bool(tpg.portals) and known and all(entry.lun in tpg.luns for acl in tpg.acls for entry in acl.maps)
    )


def authentication_of(tpg: ForeignTpg) -> Authentication:
    """Return what the TPG asks of initiators that log in."""
    mutual = bool(tpg.acls) and all(acl.credentials.userid_mutual for acl in tpg.acls)
    if tpg.attributes.get("authentication", "1") == "0":
        return Authentication.NONE
    return Authentication.MUTUAL_CHAP if mutual else Authentication.CHAP
