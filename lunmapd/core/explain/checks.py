"""The checks on the way from a host to a Lun: each with its verdict, and what mends it."""

import shlex
from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.lunmap import (
    CLOSED,
    AluaState,
    GroupId,
    Lun,
    NodeState,
    is_drained,
    reporting_nodes,
)
from lunmapd.core.base.text import human_size
from lunmapd.core.explain.remedy import NO_REMEDY, Remedy, run
from lunmapd.core.explain.world import Route, World
from lunmapd.core.fleet.logins import hides_logins
from lunmapd.core.fleet.path_state import OK, USABLE, scope_of, tags_on
from lunmapd.core.fleet.status import NodeStatus, Standing, standing_of
from lunmapd.core.node.observed import Login
from lunmapd.core.node.portals import portals_by_tag
from lunmapd.core.node.refused_logins import RefusalCause, RefusedLogins, describe_refused
from lunmapd.core.placement.alua_states import state_on
from lunmapd.core.placement.leased_groups import listed_nodes, takeover_group, takeover_nodes


class Topic(StrEnum):
    """The subject of a check, in the order of the way to the Lun."""

    MAPPED = "mapped"
    OWNER = "owner"
    NODE = "node"
    DEVICE = "device"
    ACCESS = "access"
    PORTAL = "portal"
    ALUA = "alua"
    LOGIN = "login"


class Verdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    NO = "no"
    UNKNOWN = "unknown"


class Check(Struct, frozen=True):
    """A check with its result in words.

    `remedy` states what mends it, "" for nothing; `command` is the part of it to copy, "" for none.
    `intended`: the map closes the path, since another node owns the Lun (OK), or drains the node (NO).
    """

    topic: Topic
    verdict: Verdict
    text: str
    node: str = ""
    remedy: str = ""
    command: str = ""
    intended: bool = False

    @property
    def is_problem(self) -> bool:
        """Whether the check did not succeed, and an admin does not want it so."""
        return self.verdict is not Verdict.OK and not self.intended


class Approach(Struct, frozen=True):
    """The checks of a path that are the same for all Luns with the same target and group of a map.

    `first` are those before the Lun. Without a `status` they are all: the path is checked no further.
    """

    first: tuple[Check, ...]
    status: NodeStatus | None = None
    access: tuple[Check, ...] = ()
    last: tuple[Check, ...] = ()


def approach_by(world: World, initiator: str, target: str, group: str, route: Route) -> Approach:
    """Return the checks of the path of an initiator that do not depend on the Lun.

    A node that is drained, or whose status does not describe the present, is checked no further.
    """
    owner, status = tuple(owner_checks(world, route)), world.current_status(route.node)
    if route.floating and not route.node:
        return Approach(owner)
    if status is None or is_drained(world.lunmap, route.node):
        return Approach((node_check(world, route.node),))
    access = (
        *_access_checks(world, target, group, initiator, route, status),
        portal_check(world, target, route, status),
    )
    return Approach(owner, status, access, (login_check(world, Login(target, initiator), route, status),))


def path_checks(world: World, lun: str, route: Route, approach: Approach) -> tuple[Check, ...]:
    """Return the checks of a path to a Lun."""
    if approach.status is None:
        return approach.first
    rest = (
        device_check(world, lun, route.node, approach.status),
        *approach.access,
        *alua_check(world, lun, route),
    )
    return (*approach.first, serving_check(world, lun, route, rest), *rest, *approach.last)


def owner_checks(world: World, route: Route) -> Iterator[Check]:
    """Yield whether a floating group has an owner, and why its other nodes could not be it."""
    if not route.floating:
        return
    group = GroupId(route.target, route.floating)
    listed = listed_nodes(group, world.lunmap.targets.get(group.target))
    others = [node for node in listed if node != route.node]
    obstacles = [obstacle for node in others if (obstacle := unfit_reason(world, node, group))]
    why = f" ({'; '.join(obstacles)})" if obstacles else ""
    if route.node:
        text = f"floating group {group.name} is owned by {route.node}{why}"
        yield Check(Topic.OWNER, Verdict.OK, text, route.node)
    else:
        text = f"floating group {group.name} has no owner{why}"
        yield Check(Topic.OWNER, Verdict.NO, text, "", *run("lunmapctl float list"))


def unfit_reason(world: World, node: str, group: GroupId) -> str:
    """Return why a node of a group could not own it, "" if it could."""
    itself, found = world.lunmap.nodes.get(node), world.group_status(node, group)
    if itself is not None and itself.state is NodeState.DRAINED:
        return f"{node} is drained"
    if found is None:
        return f"{node} does not report whether it is fit"
    return "" if found.fit else f"{node} is not fit: {found.reason or found.phase}"


def serving_check(world: World, lun: str, route: Route, rest: Iterable[Check]) -> Check:
    """Return whether a node serves a Lun, as far as the `rest` of the checks does not say why not."""
    is_explained = any(check.verdict is Verdict.NO or check.intended for check in rest)
    return node_check(world, route.node, OK if is_explained else world.state(lun, route))


def node_check(world: World, node: str, state: str = "") -> Check:
    """Return whether a node serves what the map says: a path with this state, or by default everything."""
    itself, view = world.lunmap.nodes.get(node), world.view(node)
    if itself is not None and itself.state is NodeState.DRAINED:
        sentence, remedy = "drained: it takes no logins", run(f"lunmapctl undrain {node}")
        return Check(Topic.NODE, Verdict.NO, sentence, node, *remedy, intended=True)
    if not view.live:
        remedy = run("systemctl status lunmapd", f"on {node}: ")
        return Check(Topic.NODE, Verdict.NO, "dead: its session with ZooKeeper ended", node, *remedy)
    if view.silent or view.status is None:
        remedy = run("journalctl -u lunmapd -e", f"on {node}: ")
        return Check(Topic.NODE, Verdict.UNKNOWN, "silent: it is alive, and reports nothing", node, *remedy)
    return _standing_check(world, node, view.status, state)


def _standing_check(world: World, node: str, status: NodeStatus, state: str) -> Check:
    standing = standing_of(status)
    applied = None if status.applied is None else status.applied.revision
    at = "" if applied == world.revision else f", revision {applied or 0} of {world.revision} is applied"
    if state in USABLE or (not state and standing is Standing.CONVERGED and not at):
        return Check(Topic.NODE, Verdict.OK, f"alive, {standing}{at}", node)
    text = f"{state}: alive, {standing}{at}" if state else f"{standing}: alive{at}"
    remedy = run(f"lunmapctl explain nodes/{node}") if state else NO_REMEDY
    return Check(Topic.NODE, Verdict.UNKNOWN, text, node, *remedy)


def device_check(world: World, lun: str, node: str, status: NodeStatus) -> Check:
    """Return whether a node exports what is behind a Lun."""
    for failing in status.failing:
        if scope_of(failing, tags_on(world.lunmap, node)) == f"luns/{lun}":
            verdict = Verdict.OK if failing.kept else Verdict.NO
            return Check(Topic.DEVICE, verdict, f"{failing.reason}: {failing.message}", node)
    report = world.report(node, lun)
    known = "" if report is None else f": {report.path}, {human_size(report.size)}"
    return Check(Topic.DEVICE, Verdict.OK, f"exported{known}", node)


def _access_checks(  # noqa: PLR0913, PLR0917 - whatever names a path
    world: World, target: str, group: str, initiator: str, route: Route, status: NodeStatus
) -> Iterator[Check]:
    """Yield what keeps the target or the initiator from being served by a node."""
    node, suffix = route.node, _suffix(route)
    scopes = {
        f"targets/{target}",
        f"groups/{group}",
        f"initiators/{initiator}",
        f"nodes/{node}",
        f"tpg {target}{suffix}",
        f"acl {target} {initiator}{suffix}",
    }
    for failing in status.failing:
        if scope_of(failing, tags_on(world.lunmap, node)) in scopes and not failing.kept:
            text = f"{failing.object}: {failing.reason}: {failing.message}"
            yield Check(Topic.ACCESS, Verdict.NO, text, node)


def portal_check(world: World, target: str, route: Route, status: NodeStatus) -> Check:
    """Return whether hosts can reach a target at a node through any portal."""
    node, served = route.node, _tpg_of(world, target, route)
    if served is None:
        sentence = f"{node} does not serve {target}"
        remedy = run(f"lunmapctl node add {node} --target {target}")
        return Check(Topic.PORTAL, Verdict.NO, sentence, node, *remedy)
    tag, portals = served
    failing = {
        words[-1]: f"{each.reason}: {each.message}"
        for each in status.failing
        if (words := each.object.split())[0] == "portal"
        and (len(words) == 2 or words[1:3] == [target, tag])  # noqa: PLR2004 - portal ADDRESS
        and words[-1] in portals
        and not each.kept
    }
    verdict = Verdict.NO if len(failing) == len(portals) else Verdict.OK
    shown = [f"{portal}{f' ({failing[portal]})' if portal in failing else ''}" for portal in portals]
    remedy = NO_REMEDY if portals else run(f"lunmapctl node set {node} portals=ADDRESS")
    return Check(Topic.PORTAL, verdict, ", ".join(shown) or "it has no portal", node, *remedy)


def _tpg_of(world: World, target: str, route: Route) -> tuple[str, tuple[str, ...]] | None:
    """Return the tag and the portals of the TPG of a path, None if the node does not serve the target."""
    served, suffix = world.lunmap.targets.get(target), _suffix(route)
    found = () if served is None else portals_by_tag(world.lunmap, served, route.node)
    tags = tags_on(world.lunmap, route.node)
    return next(((str(tag), portals) for tag, portals in found if tags[str(tag)] == suffix), None)


def _suffix(route: Route) -> str:
    """Return the suffix of the scopes of a path (path_state.py)."""
    return f" {route.floating}" if route.floating else ""


def alua_check(world: World, lun: str, route: Route) -> Iterator[Check]:
    """Yield the ALUA state of a Lun on a path, if several nodes report it."""
    item = world.lunmap.luns[lun]
    if len(reporting_nodes(world.lunmap, item)) < 2:  # noqa: PLR2004 - several
        return
    takeover = takeover_group(item)
    if takeover is not None:
        yield _takeover_check(world, item, takeover, route.node)
        return
    state = state_on(item, route.node)
    closed = state in CLOSED
    shown = AluaState.OPTIMIZED if route.floating and not closed else state
    remedy = run(f"lunmapctl lun set {lun} others=non-optimized") if closed else NO_REMEDY
    yield Check(Topic.ALUA, Verdict.NO if closed else Verdict.OK, shown.value, route.node, *remedy)


def _takeover_check(world: World, lun: Lun, group: GroupId, node: str) -> Check:
    """Return the ALUA state of a Lun that one node takes over from the other."""
    owner = world.owner(group)
    state = state_on(lun, node, owner)
    if owner == node:
        return Check(Topic.ALUA, Verdict.OK, state.value, node)
    obstacle = unfit_reason(world, node, group) if node in takeover_nodes(group) else ""
    why = f" ({obstacle})" if obstacle else ""
    text = f"{state}: {owner or 'no node'} owns takeover group {group.name}{why}"
    remedy = NO_REMEDY if owner else run("lunmapctl float list")
    if not owner or obstacle:
        return Check(Topic.ALUA, Verdict.NO, text, node, *remedy)
    return Check(Topic.ALUA, Verdict.OK, text, node, *remedy, intended=state in CLOSED)


def login_check(world: World, login: Login, route: Route, status: NodeStatus) -> Check:
    """Return whether an initiator is logged in to a target at a node, and else why not."""
    node = route.node
    if login in status.logins:
        return Check(Topic.LOGIN, Verdict.OK, "logged in", node)
    if hides_logins(status):
        return Check(Topic.LOGIN, Verdict.UNKNOWN, f"{node} lists none of its {status.sessions} logins", node)
    refused = tuple(
        each
        for each in status.refused
        if each.target == login.target and each.initiator in {"", login.initiator}
    )
    if refused:
        text = "; ".join(map(describe_refusal, refused))
        return Check(Topic.LOGIN, Verdict.NO, text, node, *remedy_of_refusal(refused[0], login.initiator))
    return Check(Topic.LOGIN, Verdict.NO, "not logged in", node, *_remedy_of_login(world, login, route))


def describe_refusal(refused: RefusedLogins) -> str:
    """Return a sentence about refused logins, with their count and time."""
    times = "once" if refused.count == 1 else f"{refused.count} times"
    return f"{describe_refused(refused)}, {times}, last at {refused.last}"


def remedy_of_refusal(refused: RefusedLogins, initiator: str) -> Remedy:
    """Return what mends refused logins of an initiator, "" for any of the map.

    A command has the name as a word of a shell, since a login can send any text as its name.
    """
    if not refused.initiator:
        host, name = refused.address or "the host", initiator or "the initiators of the map"
        return Remedy(f"compare /etc/iscsi/initiatorname.iscsi at {host} with {name}")
    if refused.cause == RefusalCause.AUTHENTICATION:
        command = f"lunmapctl secret set {shlex.quote(initiator)} --user USER"
        return run(command, after=", and the same password on the host")
    return Remedy("see the log of the kernel on the node and on the host")


def _remedy_of_login(world: World, login: Login, route: Route) -> Remedy:
    _, portals = _tpg_of(world, login.target, route) or ("", ())
    if not portals:
        return NO_REMEDY
    return run(f"iscsiadm -m discovery -t sendtargets -p {portals[0]} --login", "on the host: ")
