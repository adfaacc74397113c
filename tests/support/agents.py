"""Agents for tests: a map, an agent on a fake LIO, and readers of its status."""

import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.backing_reporter import DescribeDevice, describe_nothing
from lunmapd.agent.loop.daemon_state import DaemonFile
from lunmapd.agent.loop.follow import Follower
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.loop.serving_checks import BackingChecks, PortalChecks
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.state.address_file import AddressFile
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.agent.state.seen_file import SeenFile
from lunmapd.clock import utc_now
from lunmapd.core.base.backings import Block, FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.service.keyfile import read_keys
from lunmapd.store.commit import acts
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.commits import terms

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
A = Lun(Block("/dev/a"), "a" * 32, None, maps=(Map(T, 0, H),))
B = Lun(FileIO("/srv/b"), "b" * 32, 1 << 20, maps=(Map(T, 1, H),))
MAP = Lunmap(
    {"a": A, "b": B},
    {T: Target({"n1": PortalGroup(1)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",))},
)
SELF = MachineId("m1", "b1")
NOWHERE = "127.0.0.1:9"
"""Where no server is."""

Clock = Callable[[], float]


class AgentFactory:
    """Makes agents of node n1 on one kernel and one state directory: each is a restarted daemon."""

    def __init__(self, session: Session, kernel: FakeLio, directory: Path) -> None:
        self.kernel = kernel
        self.directory = directory
        self._session = session

    def __call__(  # noqa: PLR0913 - all but the session are options
        self,
        session: Session | None = None,
        *,
        node: str = "n1",
        ids: MachineId = SELF,
        policy: Policy | None = None,
        portals: PortalChecks | None = None,
        reads: BackingChecks | None = None,
        targetctl: Targetctl | None = None,
        describe: DescribeDevice = describe_nothing,
        is_single: bool = False,
        **clocks: Clock,
    ) -> Agent:
        """Start a daemon; `clocks` are those of Follower, the monotonic one is that of Agent too."""
        through, policy = session or self._session, policy or Policy()
        member = Registration(through, node, ids, utc_now())
        seen = SeenFile(self.directory)
        own = {"now": clocks["now"]} if "now" in clocks else {}
        addresses = AddressKeeper(AddressFile(self.directory, ids.boot), node, **own)
        snapshot = LocalSnapshot(self.directory)
        changed = addresses.follow
        follower = Follower(
            through, snapshot, policy, node=node, home=seen.cluster, changed=changed, **clocks
        )
        local = NodeFiles(
            Claims(self.directory),
            lambda: read_keys(self.directory / "secrets.key"),
            targetctl,
            state=DaemonFile(self.directory),
            seen=seen,
            addresses=addresses,
        )
        now = clocks.get("now", time.monotonic)
        return Agent(
            member,
            follower,
            self.kernel,
            local,
            policy,
            now=now,
            portals=portals,
            reads=reads,
            describe=describe,
            is_single=is_single,
        )

    def serves(self, lunmap: Lunmap) -> bool:
        """Return whether the kernel is exactly as the map asks."""
        return self.kernel.objects == project_map(lunmap, "n1", {PORT_ID})


def mapped_luns(*numbers: int) -> Lunmap:
    """Make a map that shows host H the Luns l<number>."""
    luns = {
        f"l{number}": Lun(Block(f"/dev/l{number}"), f"{number:04x}" * 8, maps=(Map(T, number, H),))
        for number in numbers
    }
    return Lunmap(luns, MAP.targets, MAP.initiators, nodes=MAP.nodes)


def put_checked(session: Session, lunmap: Lunmap, *rebacking: str, reuse: tuple[str, ...] = ()) -> None:
    """Commit a map that keeps the rules, on top of the current one.

    The Luns of `rebacking` may change their paths, those of `reuse` may take LUN numbers of others.
    """
    named = frozenset(rebacking)
    options = replace(
        terms(check=commit_rules(rebacking=named)), rebacking=named, reuse_luns=frozenset(reuse)
    )
    commit(session, read_tree(session), lunmap, options)


def applied(agent: Agent) -> int | None:
    """Return the revision that the agent reports as applied."""
    return agent.status.applied.revision if agent.status.applied else None


def conditions(agent: Agent) -> dict[str, str]:
    """Return the reason of each condition."""
    return {entry.type: entry.reason for entry in agent.status.conditions}


def failing(agent: Agent) -> dict[str, str]:
    """Return the reason of each failing object."""
    return {entry.object: entry.reason for entry in agent.status.failing}


def message(agent: Agent, kind: str) -> str:
    """Return the message of one condition."""
    return next(entry.message for entry in agent.status.conditions if entry.type == kind)


def shown(kernel: FakeLio) -> set[str]:
    """Return the Luns that an initiator sees."""
    return {
        item.storage_object for item in kernel.objects.values() if isinstance(item, lio_objects.MappedLun)
    }


def is_open(kernel: FakeLio) -> bool:
    """Return whether any TPG accepts logins."""
    return any(isinstance(item, lio_objects.Enabled) for item in kernel.objects.values())


def confirm(session: Session, revision: int) -> None:
    """Confirm the removals up to a revision."""
    acts.confirm(session, read_tree(session), revision, terms())
