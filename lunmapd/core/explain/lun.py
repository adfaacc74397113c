"""Who sees a Lun, and through which nodes."""

from msgspec import Struct

from lunmapd.core.base.lunmap import Map
from lunmapd.core.base.names import naa
from lunmapd.core.explain.checks import (
    Check,
    Verdict,
    alua_check,
    device_check,
    node_check,
    portal_check,
    serving_check,
)
from lunmapd.core.explain.world import World
from lunmapd.core.fleet.lun_paths import Host, LunPaths, NodePath


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
        """Whether all hosts are logged in through every path."""
        return not self.problems and not any(host.missing or host.unknown for host in self.hosts)


def explain_lun(world: World, name: str) -> LunExplanation:
    """Return who sees a Lun of the map, and through which nodes."""
    lun = world.lunmap.luns[name]
    paths = world.paths.get(name, LunPaths(name, 0, 0, (), ()))
    checks = [check for path in paths.paths for check in _node_checks(world, name, path.node)]
    return LunExplanation(
        name,
        f"3{naa(lun.serial)}",
        world.size(name),
        lun.maps,
        paths.paths,
        paths.initiators,
        tuple(dict.fromkeys(checks)),
    )


def _node_checks(world: World, lun: str, node: str) -> tuple[Check, ...]:
    """Return the checks of a path that do not depend on the host."""
    status = world.current_status(node)
    if status is None:
        return (node_check(world, node),)
    targets = {entry.target for entry in world.lunmap.luns[lun].maps}
    serving = [
        target
        for target in sorted(targets)
        if target in world.lunmap.targets and node in world.lunmap.targets[target].nodes
    ]
    portals = (portal_check(world, target, node, status) for target in serving)
    rest = (device_check(world, lun, node, status), *portals, *alua_check(world, lun, node))
    return (serving_check(world, lun, node, rest), *rest)
