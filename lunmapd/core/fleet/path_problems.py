"""The problems of paths: Luns that lack usable paths, and initiators that lack logins."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from lunmapd.core.base.lunmap import CLOSED
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_state import BEHIND, OK

_AS_BEFORE = {BEHIND, Reason.HELD, Reason.LEFT_EMPTY}


class PathProblem(Struct, frozen=True):
    """Luns that lack the same paths for the same reasons; `paths` are the paths that are not `ok`."""

    luns: tuple[str, ...]
    usable: int
    intended: int
    paths: tuple[NodePath, ...]

    @property
    def is_cut_off(self) -> bool:
        """Whether no path is usable, not even in its state before the newest revision."""
        return not self.usable and all(path.state not in _AS_BEFORE for path in self.paths)

    @property
    def is_outage(self) -> bool:
        """Whether the Luns are cut off although the map intends paths, or has some that accept no I/O."""
        return self.is_cut_off and (bool(self.intended) or any(path.state in CLOSED for path in self.paths))


class LostLogin(Struct, frozen=True):
    """An initiator that is logged in to a target at some of the nodes that serve its Luns, and not at others.

    `luns` is the number of Luns concerned.
    """

    initiator: str
    target: str
    at: tuple[str, ...]
    missing: tuple[str, ...]
    luns: int


def find_path_problems(luns: Iterable[LunPaths]) -> tuple[PathProblem, ...]:
    """Return the Luns that lack paths, grouped by these, those with the fewest usable paths first."""
    alike = defaultdict[tuple[int, int, tuple[NodePath, ...]], list[str]](list)
    for each in luns:
        if not each.is_whole:
            lacking = tuple(path for path in each.paths if path.state != OK)
            alike[each.usable, each.intended, lacking].append(each.lun)
    problems = (
        PathProblem(tuple(names), usable, intended, lacking)
        for (usable, intended, lacking), names in alike.items()
    )
    return tuple(sorted(problems, key=lambda problem: (problem.usable, -len(problem.luns), problem.luns)))


def find_lost_logins(luns: Iterable[LunPaths]) -> tuple[LostLogin, ...]:
    """Return the initiators that are logged in at some nodes and not at others.

    An initiator without any login may be switched off, so it is not reported.
    """
    lost = defaultdict[tuple[str, str], list[Host]](list)
    for each in luns:
        for host in each.initiators:
            if host.at and host.missing:
                lost[host.initiator, host.target].append(host)
    return tuple(_lost(*names, hosts) for names, hosts in sorted(lost.items()))


def _lost(initiator: str, target: str, hosts: list[Host]) -> LostLogin:
    at = {node for host in hosts for node in host.at}
    missing = {node for host in hosts for node in host.missing}
    return LostLogin(initiator, target, tuple(sorted(at)), tuple(sorted(missing)), len(hosts))
