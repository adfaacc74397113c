"""What has to be done on the hosts before and after a commit, as docs/initiators.md describes it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from lunmapd.core.base.lunmap import Access, Authentication, Lunmap, initiators_of
from lunmapd.core.base.names import naa
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses
from lunmapd.core.map.short_names import ShortNames, short_names
from lunmapd.service.ctl.text.hosts.host_credentials import chap_lines, credentials_after, credentials_before
from lunmapd.service.ctl.text.hosts.host_pairs import (
    MAX_LINES,
    MAX_PARAGRAPHS,
    WWID,
    WWIDS,
    Paragraph,
    bounded,
    by_target,
    hosts_text,
    pairs_of,
    target_portals,
    wrapped,
)
from lunmapd.service.ctl.text.hosts.host_removals import removals

_MORE_LOGINS = "to log in to in the same way: 'lunmapctl explain HOST' lists those of a host"
_MORE_RENEWALS = "with other passwords: renew the sessions in the same way"
_RESCAN = "iscsiadm -m session --rescan"


class HostDuties(Struct, frozen=True):
    """Paragraphs with commands for hosts: those before the commit, and those after it."""

    before: tuple[Paragraph, ...] = ()
    after: tuple[Paragraph, ...] = ()


def host_duties(before: Lunmap, after: Lunmap) -> HostDuties:
    """Return what hosts have to do for a change of the map, in a bounded number of lines."""
    names = short_names(before, after)
    new = new_addresses(before, after)
    return HostDuties(
        (
            *removals(before, after, names),
            *bounded(credentials_before(before, after, names), _MORE_RENEWALS),
        ),
        (
            *_sights(new, names),
            *_renames(before, after, names),
            *bounded(_logins(before, after, new, names), _MORE_LOGINS),
            *bounded(_more_portals(before, after, names), _MORE_LOGINS),
            *_rescans(before, after, new, names),
            *_resizes(before, after, names),
            *bounded(credentials_after(before, after, names), _MORE_RENEWALS),
        ),
    )


def _sights(new: dict[LunAddress, Occupant], names: ShortNames) -> Iterator[Paragraph]:
    hosts = defaultdict[tuple[str, str, int, str], list[str]](list)
    for address, occupant in sorted(new.items()):
        sight = (occupant.name, address.target, address.lun, occupant.serial)
        hosts[sight].append(address.initiator)
    if len(hosts) > MAX_LINES:
        everybody = hosts_text({address.initiator for address in new}, names)
        sentence = f"LUNs for {everybody}: {len(hosts):,}; 'lunmapctl explain HOST' lists those of a host"
        yield tuple(wrapped(sentence))
    elif hosts:
        yield tuple(
            f"{hosts_text(who, names)} {'sees' if len(who) == 1 else 'see'} {name} as LUN {number} at "
            f"{names.target(target)} (WWID 3{naa(serial)})"
            for (name, target, number, serial), who in hosts.items()
        )


def _logins(
    before: Lunmap, after: Lunmap, new: dict[LunAddress, Occupant], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield how hosts log in to targets that they did not see."""
    fresh = {(each.target, each.initiator) for each in new} - pairs_of(before)
    for target, hosts in by_target(fresh):
        if target_portals(after, target):
            yield _login(after, target, hosts, names, ("--login",))


def _more_portals(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how hosts log in to the portals that a target gets: '--login' alone fails where a session is."""
    for target, hosts in by_target(pairs_of(before) & pairs_of(after)):
        known = set(target_portals(before, target))
        portals = [each for each in target_portals(after, target, drained=False) if each not in known]
        if portals:
            yield _login(after, target, hosts, names, [f"-p {portal} --login" for portal in portals])


def _login(
    lunmap: Lunmap, target: str, hosts: Sequence[str], names: ShortNames, logins: Iterable[str]
) -> Paragraph:
    """Return how hosts log in; the discovery asks a node that is not drained, if there is one."""
    portal = (target_portals(lunmap, target, drained=False) or target_portals(lunmap, target))[0]
    has_chap = lunmap.targets[target].authentication is not Authentication.NONE
    return (
        f"on {hosts_text(hosts, names)}:",
        f"  iscsiadm -m discovery -t sendtargets -p {portal}",
        f"  iscsiadm -m node -T {target} -o update -n node.startup -v automatic",
        *(chap_lines(lunmap, target, hosts) if has_chap else ()),
        *(f"  iscsiadm -m node -T {target} {login}" for login in logins),
    )


def _renames(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how a host takes another name: one that the map has in place of another, with the same Luns."""
    was, now = (
        {each.initiator for each in addresses}
        for addresses in (left_addresses(before, after), new_addresses(before, after))
    )
    gone, fresh = sorted(was - after.initiators.keys()), sorted(now - before.initiators.keys())
    if len(gone) == len(fresh) == 1 and _seen_by(before, gone[0]) == _seen_by(after, fresh[0]):
        yield (
            f"on {names.initiator(fresh[0])}, until now {names.initiator(gone[0])}:",
            f"  sed -i 's/^InitiatorName=.*/InitiatorName={fresh[0]}/' /etc/iscsi/initiatorname.iscsi",
            "  systemctl restart iscsid",
        )


def _seen_by(lunmap: Lunmap, host: str) -> set[tuple[str, int, str]]:
    """Return what a host sees: target, number and serial of each LUN."""
    return {
        (address.target, address.lun, serial)
        for initiator, address, (serial, _) in _accesses(lunmap)
        if initiator == host
    }


def _rescans(
    before: Lunmap, after: Lunmap, new: dict[LunAddress, Occupant], names: ShortNames
) -> Iterator[Paragraph]:
    """Yield which hosts rescan: those that are logged in and see one more LUN, or another access."""
    seen = pairs_of(before)
    hosts = {each.initiator for each in new if (each.target, each.initiator) in seen}
    hosts |= {host for host, _, _ in _accesses(before) & _flipped(_accesses(after))}
    if hosts:
        yield f"on {hosts_text(hosts, names)}:", f"  {_RESCAN}"


def _resizes(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how the hosts of each Lun read its new size; for many Luns, how in general."""
    both = sorted(before.luns.keys() & after.luns.keys())
    resized = [name for name in both if before.luns[name].size != after.luns[name].size]
    mapped = [name for name in resized if _hosts_of(after, name)]
    if len(mapped) <= MAX_PARAGRAPHS:
        for name in mapped:
            yield from resize_commands(after, name, names)
        return
    everybody = hosts_text(set[str]().union(*(_hosts_of(after, name) for name in mapped)), names)
    sentence = f"on {everybody}, once every node has the new sizes of {len(mapped):,} Luns, {WWIDS}:"
    resize = f"  for wwid in {WWID}; do multipathd resize map $wwid; done"
    yield *wrapped(sentence), f"  {_RESCAN}", resize


def resize_commands(lunmap: Lunmap, name: str, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how the hosts of a Lun read its size again."""
    if hosts := _hosts_of(lunmap, name):
        resize = f"  multipathd resize map 3{naa(lunmap.luns[name].serial)}"
        yield f"on {hosts_text(hosts, names)}, once every node has the new size:", f"  {_RESCAN}", resize


def _hosts_of(lunmap: Lunmap, name: str) -> set[str]:
    return {host for entry in lunmap.luns[name].maps for host in initiators_of(lunmap, entry)}


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
