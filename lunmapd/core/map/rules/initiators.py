"""Rules of initiators and their groups."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Authentication, Initiator, Lunmap, initiators_of
from lunmapd.core.map.rules.chap import check_chap
from lunmapd.core.map.rules.common import check_repeated, check_text, no_such


def check_initiators(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every initiator; a mapped one must have the credentials that its targets require."""
    asked = _asked(lunmap)
    for iqn, initiator in lunmap.initiators.items():
        place: Place = ("initiators", iqn)
        yield from check_text(place, names.check_iscsi_name, iqn)
        yield from check_chap((*place, "chap"), initiator.chap)
        yield from check_chap((*place, "mutual_chap"), initiator.mutual_chap)
        if initiator.mutual_chap is not None and initiator.chap is None:
            yield Problem(
                (*place, "mutual_chap"), "has no effect without 'chap': use 'lunmapctl secret set' first"
            )
        yield from _credentials(place, initiator, asked.get(iqn, {}))


def check_groups(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every group."""
    for name, group in lunmap.groups.items():
        place: Place = ("groups", name)
        yield from check_text(place, names.check_name, name)
        yield from check_repeated((*place, "initiators"), "initiator", group.initiators)
        for index, iqn in enumerate(group.initiators):
            if iqn not in lunmap.initiators:
                yield Problem((*place, "initiators", index), no_such("initiator", iqn, lunmap.initiators))


def _asked(lunmap: Lunmap) -> dict[str, dict[Authentication, str]]:
    """Return the initiators that need CHAP, with the first target that requires each kind of it."""
    asked: dict[str, dict[Authentication, str]] = {}
    for lun in lunmap.luns.values():
        for entry in lun.maps:
            target = lunmap.targets.get(entry.target)
            if target is None or target.authentication is Authentication.NONE:
                continue
            for iqn in initiators_of(lunmap, entry):
                asked.setdefault(iqn, {}).setdefault(target.authentication, entry.target)
    return asked


def _credentials(place: Place, initiator: Initiator, asked: dict[Authentication, str]) -> Iterator[Problem]:
    mutual = asked.get(Authentication.MUTUAL_CHAP)
    target = mutual or asked.get(Authentication.CHAP)
    if target and initiator.chap is None:
        yield Problem((*place, "chap"), _needed(target, place[1], ""))
    if mutual and initiator.mutual_chap is None:
        yield Problem((*place, "mutual_chap"), _needed(mutual, place[1], " --mutual"))


def _needed(target: str, iqn: object, option: str) -> str:
    return (
        f"target {target!r} requires it, and the initiator is mapped through that target: "
        f"use 'lunmapctl secret set{option} {iqn}'"
    )
