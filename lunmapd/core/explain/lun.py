"""Who sees a Lun, and through which nodes."""

from msgspec import Struct

from lunmapd.core.base.lunmap import Map, is_drained
from lunmapd.core.base.names import naa
from lunmapd.core.explain.checks import (
    Check,
    Verdict,
    alua_check,
    device_check,
    node_check,
    owner_checks,
    portal_check,
    serving_check,
)
from lunmapd.core.explain.world import Route, World
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_state import USABLE


class LunExplanation(Struct, frozen=True):
    """A Lun: `size` is in bytes, 0 if unknown. `problems` are the checks that did not succeed, each once.

    `hosts` are the initiators that see it, with the nodes where they are logged in.
    """

    lun: str
    wwid: str
    size: int
    maps: tuple[Map, ...]
    paths: tuple[NodePath, ...]
    hosts: tuple[Host, ...]
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that did not succeed."""
        return tuple(check for check in self.checks if check.verdict is not Verdict.OK)

    @property
    def is_well(self) -> bool:
        """Whether all hosts are logged in through every path but those of drained nodes, and there is one."""
        if self.problems and not any(path.state in USABLE for path in self.paths):
            return False
        is_known = not any(host.missing or host.unknown for host in self.hosts)
        return is_known and not any(check.is_problem for check in self.checks)


def explain_lun(world: World, name: str) -> LunExplanation:
    """Return who sees a Lun of the map, and through which nodes."""
    lun = world.lunmap.luns[name]
    paths = world.paths.get(name, LunPaths(name, 0, 0, (), ()))
    checks = [check for path in paths.paths for check in _path_checks(world, name, path)]
    return LunExplanation(
        name,
        f"3{naa(lun.serial)}",
        world.size(name),
        lun.maps,
        paths.paths,
        paths.initiators,
        tuple(dict.fromkeys(checks)),
    )


def _path_checks(world: World, lun: str, path: NodePath) -> tuple[Check, ...]:
    """Return the checks of a path that do not depend on the host."""
    route = Route(path.node, path.target, path.floating)
    owner, status = tuple(owner_checks(world, route)), world.current_status(path.node)
    if route.floating and not route.node:
        return owner
    if status is None or is_drained(world.lunmap, path.node):
        return (node_check(world, path.node),)
    portals = (portal_check(world, target, route, status) for target in _targets(world, lun, path))
    rest = (device_check(world, lun, path.node, status), *portals, *alua_check(world, lun, route))
    return (*owner, serving_check(world, lun, route, rest), *rest)


def _targets(world: World, lun: str, path: NodePath) -> list[str]:
    """Return the targets through which a path leads."""
    if path.floating:
        return [path.target]
    return [
        target
        for target in sorted({entry.target for entry in world.lunmap.luns[lun].maps})
        if target in world.lunmap.targets and path.node in world.lunmap.targets[target].nodes
    ]
