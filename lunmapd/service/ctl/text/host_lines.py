"""What has to be done on the hosts before and after a commit, as docs/initiators.md describes it."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from lunmapd.core.base.lunmap import Access, Authentication, Lunmap, initiators_of
from lunmapd.core.base.names import naa
from lunmapd.core.base.serving import nodes_of
from lunmapd.core.base.text import first_of
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses
from lunmapd.core.map.short_names import ShortNames, short_names
from lunmapd.core.node.portals import portals_by_tag

Paragraph = tuple[str, ...]

_WIDTH = 80
_MAX_HOSTS = 5
_MAX_LINES = 20
_RESCAN = "iscsiadm -m session --rescan"


class HostDuties(Struct, frozen=True):
    """Paragraphs with commands for hosts: those before the commit, and those after it."""

    before: tuple[Paragraph, ...] = ()
    after: tuple[Paragraph, ...] = ()


def host_duties(before: Lunmap, after: Lunmap) -> HostDuties:
    """Return what hosts have to do for a change of the map."""
    names = short_names(before, after)
    left, new = left_addresses(before, after), new_addresses(before, after)
    return HostDuties(
        tuple(_removals(left, names)),
        (
            *_sights(new, names),
            *_logins(before, after, new, names),
            *_rescans(before, after, new, names),
            *_resizes(before, after, names),
            *_logouts(before, after, left, names),
        ),
    )


def _removals(left: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    """Yield how devices are removed, for each set of hosts that lose the same Luns."""
    hosts = defaultdict[Occupant, set[str]](set)
    for address, occupant in left.items():
        hosts[occupant].add(address.initiator)
    luns = defaultdict[tuple[str, ...], list[Occupant]](list)
    for occupant in sorted(hosts):
        luns[tuple(sorted(hosts[occupant]))].append(occupant)
    for who, lost in luns.items():
        named = first_of([each.name for each in lost], _MAX_HOSTS)
        wwids = " ".join(f"3{naa(each.serial)}" for each in lost)
        first = f"first, on {_hosts(who, names)}: end all use of {named} (unmount, vgchange -an), then"
        yield (
            *textwrap.wrap(first, _WIDTH, break_long_words=False, break_on_hyphens=False),
            f"  for wwid in {wwids}; do",
            '    paths=$(multipathd show paths raw format "%d %w" |',
            "      awk -v wwid=$wwid '$2 == wwid {print $1}')",
            "    udevadm settle --timeout=30",
            "    multipath -f $wwid && for path in $paths; do",
            "      blockdev --flushbufs /dev/$path; echo 1 >/sys/block/$path/device/delete",
            "    done",
            "  done",
        )


def _sights(new: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    hosts = defaultdict[tuple[str, str, int, str], list[str]](list)
    for address, occupant in sorted(new.items()):
        sight = (occupant.name, address.target, address.lun, occupant.serial)
        hosts[sight].append(address.initiator)
    lines = [
        f"{_hosts(who, names)} {'sees' if len(who) == 1 else 'see'} {name} as LUN {number} at "
        f"{names.target(target)} (WWID 3{naa(serial)})"
        for (name, target, number, serial), who in hosts.items()
    ]
    if lines:
        more = len(lines) - _MAX_LINES
        yield (*lines[:_MAX_LINES], *([f"{more} more such"] if more > 0 else []))


def _logins(
    before: Lunmap, after: Lunmap, new: dict[LunAddress, Occupant], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield how hosts log in to targets that they did not see, or that have more portals."""
    seen = _pairs(before)
    fresh = {(each.target, each.initiator) for each in new} - seen
    grown = {target for target in after.targets if _portals(after, target) - _portals(before, target)}
    fresh |= {pair for pair in seen & _pairs(after) if pair[0] in grown}
    for target, hosts in _by_target(fresh):
        portals = sorted(_portals(after, target))
        if portals:
            yield (
                f"on {_hosts(hosts, names)}:",
                f"  iscsiadm -m discovery -t sendtargets -p {portals[0]}",
                f"  iscsiadm -m node -T {target} -o update -n node.startup -v automatic",
                *_chap_lines(after, target, hosts),
                f"  iscsiadm -m node -T {target} --login",
            )


def _chap_lines(lunmap: Lunmap, target: str, hosts: Sequence[str]) -> Iterator[str]:
    """Yield how a host gets its user and password for a target that asks for CHAP."""
    if lunmap.targets[target].authentication is Authentication.NONE:
        return
    users = {chap.user for host in hosts if (chap := lunmap.initiators[host].chap) is not None}
    user = users.pop() if len(users) == 1 else "USER"
    for name, value in (("authmethod", "CHAP"), ("username", user), ("password", "PASSWORD")):
        yield f"  iscsiadm -m node -T {target} -o update -n node.session.auth.{name} -v {value}"


def _rescans(
    before: Lunmap, after: Lunmap, new: dict[LunAddress, Occupant], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield which hosts rescan: those that are logged in and see one more LUN, or another access."""
    seen = _pairs(before)
    hosts = {each.initiator for each in new if (each.target, each.initiator) in seen}
    hosts |= {host for host, _, _ in _accesses(before) & _flipped(_accesses(after))}
    if hosts:
        yield f"on {_hosts(hosts, names)}:", f"  {_RESCAN}"


def _resizes(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    for name in sorted(before.luns.keys() & after.luns.keys()):
        if before.luns[name].size != after.luns[name].size:
            yield from resize_commands(after, name, names)


def resize_commands(lunmap: Lunmap, name: str, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how the hosts of a Lun read its size again."""
    lun = lunmap.luns[name]
    if hosts := {host for entry in lun.maps for host in initiators_of(lunmap, entry)}:
        resize = f"  multipathd resize map 3{naa(lun.serial)}"
        yield f"on {_hosts(hosts, names)}, once every node has the new size:", f"  {_RESCAN}", resize


def _logouts(
    before: Lunmap, after: Lunmap, left: dict[LunAddress, Occupant], names: ShortNames
) -> Iterator[Paragraph]:
    gone = {(each.target, each.initiator) for each in left} - _pairs(after)
    for target, hosts in _by_target(gone):
        yield (
            f"on {_hosts(hosts, names)}, without a LUN at {names.target(target)} now:",
            f"  iscsiadm -m node -T {target} --logout",
            f"  iscsiadm -m node -T {target} -o delete",
        )
    for target in sorted(before.targets.keys() & after.targets.keys()):
        staying = {host for each, host in _pairs(before) & _pairs(after) if each == target}
        if staying and (portals := sorted(_portals(before, target) - _portals(after, target))):
            logouts = (f"  iscsiadm -m node -T {target} -p {portal} --logout" for portal in portals)
            yield (f"on {_hosts(staying, names)}:", *logouts)


def _pairs(lunmap: Lunmap) -> set[tuple[str, str]]:
    """Return each target with each initiator that has a LUN there."""
    return {
        (entry.target, host)
        for lun in lunmap.luns.values()
        for entry in lun.maps
        for host in initiators_of(lunmap, entry)
    }


def _accesses(lunmap: Lunmap) -> set[tuple[str, LunAddress, tuple[str, Access]]]:
    return {
        (host, LunAddress(entry.target, host, entry.lun), (lun.serial, entry.access))
        for lun in lunmap.luns.values()
        for entry in lun.maps
        for host in initiators_of(lunmap, entry)
    }


def _flipped(
    accesses: set[tuple[str, LunAddress, tuple[str, Access]]],
) -> set[tuple[str, LunAddress, tuple[str, Access]]]:
    other = {Access.READ_ONLY: Access.READ_WRITE, Access.READ_WRITE: Access.READ_ONLY}
    return {(host, address, (serial, other[access])) for host, address, (serial, access) in accesses}


def _portals(lunmap: Lunmap, iqn: str) -> set[str]:
    target = lunmap.targets.get(iqn)
    if target is None:
        return set()
    tpgs = (tpg for node in nodes_of(target) for tpg in portals_by_tag(lunmap, target, node))
    return {portal for _, portals in tpgs for portal in portals}


def _by_target(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Sequence[str]]]:
    hosts = defaultdict[str, list[str]](list)
    for target, host in sorted(pairs):
        hosts[target].append(host)
    yield from hosts.items()


def _hosts(hosts: Iterable[str], names: ShortNames) -> str:
    return first_of([names.initiator(host) for host in sorted(hosts)], _MAX_HOSTS)
