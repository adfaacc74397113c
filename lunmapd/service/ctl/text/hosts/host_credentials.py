"""What hosts have to do when a target begins to ask for CHAP, and when their passwords change or go.

Measured with open-iscsi 2.1.11 and LIO of Linux 6.12.113 (docs/initiators.md): a session keeps the
credentials of its login, also when it has to log in again after an error; and open-iscsi offers CHAP as soon
as it has a user, with any `authmethod`, which LIO refuses for an initiator without credentials.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from lunmapd.core.base.lunmap import Authentication, Chap, Initiator, Lunmap
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.ctl.text.hosts.host_pairs import (
    Paragraph,
    by_target,
    hosts_text,
    pairs_of,
    target_portals,
    wrapped,
)

_NONE = Initiator()


def chap_lines(lunmap: Lunmap, target: str, hosts: Sequence[str]) -> Iterator[str]:
    """Yield how a host gets the users and passwords for a target."""
    for name, value in _chap_settings(lunmap, target, hosts):
        yield f"  iscsiadm -m node -T {target} -o update -n node.session.auth.{name} -v {value}"


def _chap_settings(lunmap: Lunmap, target: str, hosts: Sequence[str]) -> Iterator[tuple[str, str]]:
    found = [lunmap.initiators.get(host, _NONE) for host in hosts]
    yield "authmethod", "CHAP"
    yield "username", _user({each.chap for each in found})
    yield "password", "PASSWORD"
    if lunmap.targets[target].authentication is Authentication.MUTUAL_CHAP:
        yield "username_in", _user({each.mutual_chap for each in found})
        yield "password_in", "PASSWORD_OF_THE_TARGET"


def credentials_before(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how hosts offer what a target is about to ask for, and offer no more what it will not know."""
    for target, hosts in _staying(before, after, lambda target, _: _asks_more(before, after, target)):
        chap = _chap_settings(after, target, hosts)
        yield _renewal(after, target, hosts, names, ("first, on", "need a password", chap))
    for target, hosts in _staying(before, after, lambda _, host: _is_cleared(before, after, host)):
        cleared = ((name, "''") for name in ("username", "password"))
        yield _renewal(after, target, hosts, names, ("first, on", "fail with a password", cleared))


def credentials_after(before: Lunmap, after: Lunmap, names: ShortNames) -> Iterator[Paragraph]:
    """Yield how hosts get passwords that have changed."""

    def is_concerned(target: str, host: str) -> bool:
        return _is_changed(before, after, target, host) and not _asks_more(before, after, target)

    for target, hosts in _staying(before, after, is_concerned):
        chap = _chap_settings(after, target, hosts)
        yield _renewal(after, target, hosts, names, ("on", "need the new password", chap))


def _renewal(
    lunmap: Lunmap,
    target: str,
    hosts: Sequence[str],
    names: ShortNames,
    what: tuple[str, str, Iterable[tuple[str, str]]],
) -> Paragraph:
    """Return how hosts log in again to a target; `what` is when, what becomes of logins, and settings."""
    when, fate, settings = what
    first = f"{when} {hosts_text(hosts, names)}: later logins to {names.target(target)} {fate}"
    return (
        *wrapped(first),
        f'  node="iscsiadm -m node -T {target}"',
        *(f"  $node -o update -n node.session.auth.{name} -v {value}" for name, value in settings),
        *_new_logins(lunmap, target),
    )


def _staying(
    before: Lunmap, after: Lunmap, concerns: Callable[[str, str], bool]
) -> Iterator[tuple[str, Sequence[str]]]:
    pairs = pairs_of(before) & pairs_of(after)
    return by_target((target, host) for target, host in pairs if concerns(target, host))


_RANK = tuple(Authentication)


def _asks_more(before: Lunmap, after: Lunmap, target: str) -> bool:
    was, now = (_RANK.index(lunmap.targets[target].authentication) for lunmap in (before, after))
    return was < now


def _is_cleared(before: Lunmap, after: Lunmap, host: str) -> bool:
    was, now = (lunmap.initiators.get(host, _NONE) for lunmap in (before, after))
    return was.chap is not None and now.chap is None


def _is_changed(before: Lunmap, after: Lunmap, target: str, host: str) -> bool:
    was, now = (lunmap.initiators.get(host, _NONE) for lunmap in (before, after))
    is_mutual = after.targets[target].authentication is Authentication.MUTUAL_CHAP
    is_new = was.chap != now.chap or (is_mutual and was.mutual_chap != now.mutual_chap)
    return is_new and was.chap is not None and now.chap is not None


def _new_logins(lunmap: Lunmap, target: str) -> Iterator[str]:
    """Yield how the sessions of a host get other credentials, path by path."""
    portals = target_portals(lunmap, target, drained=False)
    if portals:
        yield "  # a session keeps its credentials: renew each, once 'multipath -ll' shows all paths"
    for portal in portals:
        yield f"  $node -p {portal} --logout && $node -p {portal} --login"


def _user(found: set[Chap | None]) -> str:
    users = {chap.user for chap in found if chap is not None}
    return users.pop() if len(users) == 1 else "USER"
