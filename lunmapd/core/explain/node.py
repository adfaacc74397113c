"""What a node serves, what is wrong with it, and who loses what if it goes."""

from collections import defaultdict
from collections.abc import Iterator

from msgspec import Struct

from lunmapd.core.base.lunmap import GroupId, nodes_of, portals_of, reporting_nodes
from lunmapd.core.explain.checks import (
    Check,
    Topic,
    Verdict,
    describe_refusal,
    node_check,
    remedy_of_refusal,
    unfit_reason,
)
from lunmapd.core.explain.world import World
from lunmapd.core.fleet.only_ways import find_only_ways
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.core.placement.leased_groups import describe_group, groups_on, leased_groups


class Loss(Struct, frozen=True):
    """A host that is logged in at a node, and the Luns that it can't reach through another one."""

    initiator: str
    luns: tuple[str, ...]


class NodeExplanation(Struct, frozen=True):
    """A node. `luns` is the number of Luns that it reports, `hosts` are the initiators that are logged in.

    `losses` are what hosts lose if the node goes.
    """

    node: str
    checks: tuple[Check, ...]
    targets: dict[str, tuple[str, ...]]
    hosts: tuple[str, ...]
    luns: int
    losses: tuple[Loss, ...]

    @property
    def is_well(self) -> bool:
        """Whether the node is as the map says, drained too; losses are no problem as long as it stays."""
        return not any(check.is_problem for check in self.checks)


def explain_node(world: World, name: str) -> NodeExplanation:
    """Return what a node serves, with its portals by target, and what depends on it."""
    status = world.current_status(name)
    targets = {
        iqn: tuple(_portals(world, iqn, name))
        for iqn, target in sorted(world.lunmap.targets.items())
        if name in world.lunmap.nodes and name in nodes_of(target)
    }
    return NodeExplanation(
        name,
        (node_check(world, name), *_problems(name, status), *_groups(world, name)),
        targets,
        tuple(sorted({login.initiator for login in status.logins})) if status else (),
        sum(name in reporting_nodes(world.lunmap, lun) for lun in world.lunmap.luns.values()),
        _losses(world, name),
    )


def _portals(world: World, iqn: str, node: str) -> Iterator[str]:
    """Yield the portals through which a node serves a target, those of a floating group as its owner."""
    target = world.lunmap.targets[iqn]
    if node in target.nodes:
        yield from portals_of(world.lunmap.nodes[node], target.nodes[node])
    for name, group in groups_on(target, node).items():
        if world.owner(GroupId(iqn, name)) == node:
            yield from group.portals


def _groups(world: World, node: str) -> Iterator[Check]:
    """Yield the groups that a node may own, if its status describes the present."""
    for name, group in leased_groups(world.lunmap).items():
        if node not in group.nodes or world.current_status(node) is None:
            continue
        owner = world.owner(name)
        reason = unfit_reason(world, node, name)
        why = f" ({reason})" if reason else ""
        shown = f"{describe_group(name)}: owner {owner or 'none'}{why}"
        yield Check(Topic.OWNER, Verdict.NO if reason else Verdict.OK, shown, node)


def _problems(node: str, status: NodeStatus | None) -> list[Check]:
    if status is None:
        return []
    conditions = [
        Check(Topic.NODE, Verdict.NO, f"{each.type}: {each.reason}: {each.message}", node)
        for each in status.conditions
        if not each.status
    ]
    failing = [
        Check(
            Topic.DEVICE if each.lun else Topic.ACCESS,
            Verdict.NO,
            f"{each.object}: {each.reason}: {each.message}",
            node,
        )
        for each in status.failing
    ]
    refused = [
        Check(Topic.LOGIN, Verdict.NO, describe_refusal(each), node, *remedy_of_refusal(each, each.initiator))
        for each in status.refused
    ]
    return [*conditions, *failing, *refused]


def _losses(world: World, node: str) -> tuple[Loss, ...]:
    found = defaultdict[str, list[str]](list)
    for way in find_only_ways(world.lunmap, (paths for _, paths in sorted(world.paths.items())), node):
        if way.logged_in:
            found[way.initiator].append(way.lun)
    return tuple(Loss(initiator, tuple(luns)) for initiator, luns in sorted(found.items()))
