"""What hosts have to do before they lose a Lun, a target or a portal, as docs/initiators.md describes it.

A host that loses its last LUN at a target logs out before the commit: nodes then remove its ACL, which ends
the session without a logout, and would count its devices as held for ever (docs/initiators.md).
"""

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.names import naa
from lunmapd.core.base.text import first_of
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, occupants_of
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.ctl.text.hosts.host_pairs import (
    MAX_LINES,
    MAX_PARAGRAPHS,
    WWID,
    WWIDS,
    Pair,
    Paragraph,
    bounded,
    by_target,
    hosts_text,
    pairs_of,
    target_portals,
    wrapped,
)

_MAX_NAMED = 5
_MORE_PATHS = "of which hosts keep other paths: remove the lost ones in the same way"
_MORE_LOGOUTS = "to log out from in the same way: 'lunmapctl explain HOST' lists those of a host"
_MORE_LOST = "lose portals: log out from these in the same way"


def removals(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how devices are removed, then how hosts leave targets and portals."""
    left = left_addresses(before, after)
    staying = pairs_of(before) & pairs_of(after)
    luns = {occupant.name for occupant in left.values()}
    there = occupants_of(after, luns).items() & occupants_of(before, luns).items()
    seen = {(address.initiator, occupant) for address, occupant in there}
    lost = {address: each for address, each in left.items() if (address.initiator, each) not in seen}
    yield from _devices(lost, names)
    kept = {each: left[each] for each in left.keys() - lost.keys()}
    yield from bounded(_paths(kept, staying, names), _MORE_PATHS, "Lun")
    gone = {(each.target, each.initiator) for each in left} - staying
    yield from bounded(_logouts(gone, names), _MORE_LOGOUTS)
    yield from bounded(_portals(before, after, staying, names), _MORE_LOST)


def _devices(lost: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    """Yield how devices are removed, for each set of hosts that lose the same Luns; for many, in general."""
    hosts = defaultdict[Occupant, set[str]](set)
    for address, occupant in lost.items():
        hosts[occupant].add(address.initiator)
    luns = defaultdict[tuple[str, ...], list[Occupant]](list)
    for occupant in sorted(hosts):
        luns[tuple(sorted(hosts[occupant]))].append(occupant)
    if len(hosts) > MAX_LINES or len(luns) > MAX_PARAGRAPHS:
        everybody = hosts_text(set[str]().union(*luns), names)
        what = f"{len(hosts):,} Luns (unmount, vgchange -an), then, {WWIDS}:"
        yield _removal(f"first, on {everybody}: end all use of {what}", WWID)
        return
    for who, gone in luns.items():
        named = first_of([each.name for each in gone], _MAX_NAMED)
        wwids = " ".join(f"3{naa(each.serial)}" for each in gone)
        first = f"first, on {hosts_text(who, names)}: end all use of {named} (unmount, vgchange -an), then"
        yield _removal(first, wwids)


def _removal(first: str, wwids: str) -> Paragraph:
    return (
        *wrapped(first),
        f"  for wwid in {wwids}; do",
        '    paths=$(multipathd show paths raw format "%d %w" |',
        "      awk -v wwid=$wwid '$2 == wwid {print $1}')",
        "    udevadm settle --timeout=30",
        "    multipath -f $wwid && for path in $paths; do",
        "      blockdev --flushbufs /dev/$path; echo 1 >/sys/block/$path/device/delete",
        "    done",
        "  done",
    )


def _paths(
    kept: dict[LunAddress, Occupant], staying: AbstractSet[Pair], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield how paths to Luns are removed that their hosts keep by other paths; a logout needs no more."""
    hosts = defaultdict[tuple[str, str, int], set[str]](set)
    for address, occupant in kept.items():
        if (address.target, address.initiator) in staying:
            hosts[occupant.name, address.target, address.lun].add(address.initiator)
    for (name, target, number), who in sorted(hosts.items()):
        yield (
            f"first, on {hosts_text(who, names)}, which keeps other paths to {name}:",
            f"  for link in /dev/disk/by-path/*-iscsi-{target}-lun-{number}; do",
            "    echo 1 >/sys/block/$(basename $(readlink $link))/device/delete",
            "  done",
        )


def _logouts(gone: AbstractSet[Pair], names: ShortNames) -> Iterator[Paragraph]:
    for target, hosts in by_target(gone):
        yield (
            f"then on {hosts_text(hosts, names)}, without another LUN at {names.target(target)}:",
            f"  iscsiadm -m node -T {target} --logout",
            f"  iscsiadm -m node -T {target} -o delete",
        )


def _portals(
    before: Lunmap, after: Lunmap, staying: AbstractSet[Pair], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield how hosts leave the portals that their targets lose."""
    for target, hosts in by_target(staying):
        there = set(target_portals(after, target))
        gone = [portal for portal in target_portals(before, target) if portal not in there]
        if gone:
            portals = (f"  iscsiadm -m node -T {target} -p {portal}" for portal in gone)
            commands = (f"{each} {verb}" for each in portals for verb in ("--logout", "-o delete"))
            yield (f"first, on {hosts_text(hosts, names)}:", *commands)
