"""What a host sees: its Luns with their paths, and one Lun check by check."""

from collections.abc import Callable, Iterator
from functools import cache, partial

from msgspec import Struct

from lunmapd.core.base.lunmap import GroupId, Map, reporting_nodes
from lunmapd.core.base.names import naa
from lunmapd.core.explain.checks import (
    Approach,
    Check,
    Topic,
    Verdict,
    approach_by,
    describe_refusal,
    path_checks,
    remedy_of_refusal,
)
from lunmapd.core.explain.remedy import run
from lunmapd.core.explain.world import Route, World, maps_to
from lunmapd.core.fleet.path_state import NO_OWNER
from lunmapd.core.map.short_names import short_names
from lunmapd.core.node.observed import Login

_Approaches = Callable[[str, str, Route], Approach]
"""Takes target and group of a map, and the route; each result is kept, since many Luns share it."""


class SeenPath(Struct, frozen=True):
    """A path of a host to a Lun; `word` is `ok`, or that of the first check that failed.

    Of a closed path to a Lun that another node owns it is the ALUA state.

    `floating` is the name of the floating group through which it leads, "" for the node's own TPG.
    """

    node: str
    verdict: Verdict
    word: str
    floating: str = ""


class SeenLun(Struct, frozen=True):
    """A Lun as a host sees it; `size` is in bytes, 0 if unknown, `wwid` as udev and multipath print it."""

    lun: str
    target: str
    number: int
    access: str
    group: str
    size: int
    wwid: str
    paths: tuple[SeenPath, ...]

    @property
    def usable(self) -> int:
        """The number of paths that the host uses or may use."""
        return sum(path.verdict is Verdict.OK for path in self.paths)


class HostExplanation(Struct, frozen=True):
    """What a host sees. `logins` are the nodes where it is logged in to each target, by target.

    `problems` are the checks that did not succeed, each once; they come from the paths of all Luns, and from
    refused logins of this name.
    """

    initiator: str
    alias: str
    groups: tuple[str, ...]
    logins: dict[str, tuple[str, ...]]
    luns: tuple[SeenLun, ...]
    problems: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        """Whether the host sees each of its Luns through every path but those of drained nodes, and one."""
        return not any(check.is_problem for check in self.problems) and all(
            any(path.verdict is Verdict.OK for path in lun.paths) for lun in self.luns
        )


class PairExplanation(Struct, frozen=True):
    """The way from a host to a Lun: whether it is mapped, then the checks of each path."""

    initiator: str
    lun: str
    checks: tuple[Check, ...]
    usable: int = 0
    paths: int = 0

    @property
    def is_well(self) -> bool:
        """Whether the host sees the Lun through every path but those of drained nodes, and one."""
        drained = sum(check.intended and check.verdict is Verdict.NO for check in self.checks)
        return 0 < self.usable == self.paths - drained


def explain_host(world: World, initiator: str) -> HostExplanation:
    """Return what an initiator of the map sees."""
    lunmap, approaches = world.lunmap, _approaches(world, initiator)
    seen, problems = list[SeenLun](), list[Check]()
    for name, lun in sorted(lunmap.luns.items()):
        for entry in maps_to(lunmap, lun, initiator):
            paths = _paths(world, name, entry, approaches)
            seen.append(_seen(world, name, entry, paths))
            problems += [
                check for checks in paths.values() for check in checks if check.verdict is not Verdict.OK
            ]
            problems += [] if paths else [_unserved(entry.target)]
    return HostExplanation(
        initiator,
        lunmap.initiators[initiator].alias,
        tuple(sorted(name for name, group in lunmap.groups.items() if initiator in group.initiators)),
        _logins(world, initiator),
        tuple(sorted(seen, key=lambda each: (each.target, each.number))),
        tuple(dict.fromkeys((*problems, *_refusals(world, initiator)))),
    )


def explain_pair(world: World, initiator: str, lun: str) -> PairExplanation:
    """Return why an initiator sees a Lun, or why not."""
    entries = maps_to(world.lunmap, world.lunmap.luns[lun], initiator)
    if not entries:
        sentence = f"{lun} is mapped neither to it nor to a group of it"
        unmapped = Check(Topic.MAPPED, Verdict.NO, sentence, "", *run(_map_command(world, initiator, lun)))
        return PairExplanation(initiator, lun, (unmapped, *_refusals(world, initiator)))
    checks, usable, paths = list[Check](), 0, 0
    approaches = _approaches(world, initiator)
    for entry in entries:
        checks.append(Check(Topic.MAPPED, Verdict.OK, _mapped(entry)))
        found = _paths(world, lun, entry, approaches)
        checks += [check for of_node in found.values() for check in of_node]
        checks += [] if found else [_unserved(entry.target)]
        usable += sum(_worst(of_node).verdict is Verdict.OK for of_node in found.values())
        paths += len(found)
    return PairExplanation(initiator, lun, tuple(checks), usable, paths)


def _map_command(world: World, initiator: str, lun: str) -> str:
    """Return the command that maps a Lun to another host, through the target of its first map."""
    names, maps = short_names(world.lunmap), world.lunmap.luns[lun].maps
    target = f" --target {names.target(maps[0].target)}" if maps else ""
    return f"lunmapctl map {lun} {names.initiator(initiator)}{target}"


def _mapped(entry: Map) -> str:
    group = f", by group {entry.group}" if entry.group else ""
    return f"LUN {entry.lun} at {entry.target}, {entry.access.value}{group}"


def _unserved(target: str) -> Check:
    remedy = run(f"lunmapctl target set {target} nodes=NODE,...")
    return Check(Topic.NODE, Verdict.NO, f"no node serves {target}", "", *remedy)


def _approaches(world: World, initiator: str) -> _Approaches:
    return cache(partial(approach_by, world, initiator))


def _paths(world: World, lun: str, entry: Map, approaches: _Approaches) -> dict[Route, tuple[Check, ...]]:
    """Return the checks of each path by a map."""
    target = world.lunmap.targets.get(entry.target)
    if target is None:
        return {}
    nodes = reporting_nodes(world.lunmap, world.lunmap.luns[lun])
    routes = [Route(node) for node in nodes if node in target.nodes]
    groups = (GroupId(entry.target, name) for name in sorted(target.floating))
    routes += [Route(world.owner(group), *group) for group in groups]
    return {
        route: path_checks(world, lun, route, approaches(entry.target, entry.group, route))
        for route in routes
    }


def _worst(checks: tuple[Check, ...]) -> Check:
    """Return the first check that failed, else the first that gave no answer, else that of a closed path."""
    for verdict in (Verdict.NO, Verdict.UNKNOWN):
        for check in checks:
            if check.verdict is verdict:
                return check
    return next((check for check in checks if check.intended), checks[0])


def _seen(world: World, name: str, entry: Map, paths: dict[Route, tuple[Check, ...]]) -> SeenLun:
    return SeenLun(
        name,
        entry.target,
        entry.lun,
        entry.access.value,
        entry.group,
        world.size(name),
        f"3{naa(world.lunmap.luns[name].serial)}",
        tuple(_seen_path(route, _worst(checks)) for route, checks in paths.items()),
    )


def _seen_path(route: Route, worst: Check) -> SeenPath:
    is_ok = worst.verdict is Verdict.OK and not worst.intended
    word = "ok" if is_ok else worst.text.partition(":")[0].partition(",")[0]
    if worst.topic is Topic.LOGIN and worst.verdict is Verdict.NO:
        word = "not logged in"
    if worst.topic is Topic.OWNER and worst.verdict is Verdict.NO:
        word = NO_OWNER
    return SeenPath(route.node, worst.verdict, word, route.floating)


def _logins(world: World, initiator: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for node in sorted(world.views):
        status = world.current_status(node)
        for login in () if status is None else status.logins:
            if login.initiator == initiator:
                found.setdefault(login.target, []).append(node)
    return {target: tuple(nodes) for target, nodes in sorted(found.items())}


def _refusals(world: World, initiator: str) -> Iterator[Check]:
    """Yield the refused logins of an initiator at targets where it is not logged in."""
    for node in sorted(world.views):
        status = world.current_status(node)
        if status is None:
            continue
        for each in status.refused:
            if each.initiator == initiator and Login(each.target, initiator) not in status.logins:
                remedy = remedy_of_refusal(each, initiator)
                yield Check(Topic.LOGIN, Verdict.NO, describe_refusal(each), node, *remedy)
