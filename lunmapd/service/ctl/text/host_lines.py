"""What has to be done on the hosts before and after a commit, as docs/initiators.md describes it."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from lunmapd.core.base.lunmap import Access, Authentication, Lunmap, initiators_of
from lunmapd.core.base.names import naa
from lunmapd.core.base.serving import nodes_of
from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses
from lunmapd.core.map.short_names import ShortNames, short_names
from lunmapd.core.node.portals import portals_by_tag

Paragraph = tuple[str, ...]

_WIDTH = 80
_MAX_HOSTS = 5
_MAX_LINES = 20
_MAX_PARAGRAPHS = 5
_RESCAN = "iscsiadm -m session --rescan"
_MORE_LOGINS = "to log in to in the same way: 'lunmapctl explain HOST' lists those of a host"
_MORE_LOGOUTS = "to log out from in the same way: those that 'lunmapctl explain HOST' does not list"
_MORE_LOST = "lost portals: log out from these in the same way"
_WWID = "WWID..."
_WWIDS = "with the WWIDs that 'lunmapctl explain HOST' shows"


class HostDuties(Struct, frozen=True):
    """Paragraphs with commands for hosts: those before the commit, and those after it."""

    before: tuple[Paragraph, ...] = ()
    after: tuple[Paragraph, ...] = ()


def host_duties(before: Lunmap, after: Lunmap) -> HostDuties:
    """Return what hosts have to do for a change of the map, in a bounded number of lines."""
    names = short_names(before, after)
    left, new = left_addresses(before, after), new_addresses(before, after)
    return HostDuties(
        tuple(_removals(left, names)),
        (
            *_sights(new, names),
            *_bounded(_logins(before, after, new, names), _MORE_LOGINS),
            *_rescans(before, after, new, names),
            *_resizes(before, after, names),
            *_bounded(_logouts(after, left, names), _MORE_LOGOUTS),
            *_bounded(_lost_portals(before, after, names), _MORE_LOST),
        ),
    )


def _bounded(paragraphs: Iterable[Paragraph], others: str) -> Iterator[Paragraph]:
    """Yield the first paragraphs, of which each is about a target, and the number of the others."""
    found = list(paragraphs)
    yield from found[:_MAX_PARAGRAPHS]
    if (more := len(found) - _MAX_PARAGRAPHS) > 0:
        yield tuple(_wrapped(f"{count_of(more, 'more target')} {others}"))


def _removals(left: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    """Yield how devices are removed, for each set of hosts that lose the same Luns; for many, in general."""
    hosts = defaultdict[Occupant, set[str]](set)
    for address, occupant in left.items():
        hosts[occupant].add(address.initiator)
    luns = defaultdict[tuple[str, ...], list[Occupant]](list)
    for occupant in sorted(hosts):
        luns[tuple(sorted(hosts[occupant]))].append(occupant)
    if len(hosts) > _MAX_LINES or len(luns) > _MAX_PARAGRAPHS:
        everybody = _hosts(set[str]().union(*luns), names)
        what = f"{len(hosts):,} Luns (unmount, vgchange -an), then, {_WWIDS}:"
        yield _removal(f"first, on {everybody}: end all use of {what}", _WWID)
        return
    for who, lost in luns.items():
        named = first_of([each.name for each in lost], _MAX_HOSTS)
        wwids = " ".join(f"3{naa(each.serial)}" for each in lost)
        first = f"first, on {_hosts(who, names)}: end all use of {named} (unmount, vgchange -an), then"
        yield _removal(first, wwids)


def _removal(first: str, wwids: str) -> Paragraph:
    return (
        *_wrapped(first),
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
    if len(hosts) > _MAX_LINES:
        everybody = _hosts({address.initiator for address in new}, names)
        sentence = f"LUNs for {everybody}: {len(hosts):,}; 'lunmapctl explain HOST' lists those of a host"
        yield tuple(_wrapped(sentence))
    elif hosts:
        yield tuple(
            f"{_hosts(who, names)} {'sees' if len(who) == 1 else 'see'} {name} as LUN {number} at "
            f"{names.target(target)} (WWID 3{naa(serial)})"
            for (name, target, number, serial), who in hosts.items()
        )


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
    """Yield how the hosts of each Lun read its new size; for many Luns, how in general."""
    both = sorted(before.luns.keys() & after.luns.keys())
    resized = [name for name in both if before.luns[name].size != after.luns[name].size]
    mapped = [name for name in resized if _hosts_of(after, name)]
    if len(mapped) <= _MAX_PARAGRAPHS:
        for name in mapped:
            yield from resize_commands(after, name, names)
        return
    everybody = _hosts(set[str]().union(*(_hosts_of(after, name) for name in mapped)), names)
    sentence = f"on {everybody}, once every node has the new sizes of {len(mapped):,} Luns, {_WWIDS}:"
    resize = f"  for wwid in {_WWID}; do multipathd resize map $wwid; done"
    yield *_wrapped(sentence), f"  {_RESCAN}", resize


def resize_commands(lunmap: Lunmap, name: str, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how the hosts of a Lun read its size again."""
    if hosts := _hosts_of(lunmap, name):
        resize = f"  multipathd resize map 3{naa(lunmap.luns[name].serial)}"
        yield f"on {_hosts(hosts, names)}, once every node has the new size:", f"  {_RESCAN}", resize


def _hosts_of(lunmap: Lunmap, name: str) -> set[str]:
    return {host for entry in lunmap.luns[name].maps for host in initiators_of(lunmap, entry)}


def _logouts(after: Lunmap, left: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    gone = {(each.target, each.initiator) for each in left} - _pairs(after)
    for target, hosts in _by_target(gone):
        yield (
            f"on {_hosts(hosts, names)}, without a LUN at {names.target(target)} now:",
            f"  iscsiadm -m node -T {target} --logout",
            f"  iscsiadm -m node -T {target} -o delete",
        )


def _lost_portals(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
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


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
