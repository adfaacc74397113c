"""Followers: the agent of lunmapd on a fake LIO. They record each state of the map that they had."""

from contextlib import ExitStack
from pathlib import Path

from chaos.history import FollowerState
from chaos.recorder import Recorder, now
from fakes.lio import FakeLio
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.follow import Follower as MapFollower
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.loop.report import CycleResult
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.clock import utc_now
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.store.session.session import Session
from support.daemon import running

_NEVER = 3600.0  # at rest only the watch wakes it: a lost watch is a follower that stays behind
_RETRY = 0.2
_POLICY = Policy(
    limits=RemovalLimits(share=1.0), resync=_NEVER, audit=_NEVER, retry=_RETRY
)  # random maps remove much at once, without confirmation


class Follower:
    """One node: a persistent kernel and directory, and a daemon that runs between `start` and `stop`."""

    def __init__(self, name: str, directory: Path, recorder: Recorder) -> None:
        self.name = name
        self.kernel = FakeLio()
        self.session: Session | None = None
        self.cycle = CycleResult()
        self._directory = directory
        self._recorder = recorder
        self._life = 0
        self._seen: tuple[int, str] | None = None
        self._running = ExitStack()

    def start(self, session: Session) -> None:
        """Start a daemon that knows only the kernel and the directory; `session` is its own."""
        self._life += 1
        self._seen = None
        self.session = session
        member = Registration(session, self.name, MachineId(self.name, str(self._life)), utc_now())
        state = self._directory / self.name
        state.mkdir(exist_ok=True)
        following = MapFollower(session, LocalSnapshot(state), _POLICY, node=self.name)
        agent = Agent(member, following, self.kernel, NodeFiles(Claims(state)), _POLICY)
        session.start()
        self._running.callback(session.close)
        self._running.enter_context(running(agent, self._said))

    def stop(self) -> None:
        """End the life, and its session."""
        self._running.close()

    def has(self, revision: int) -> bool:
        """Return whether the kernel was observed at this revision, or a later one."""
        cycle = self.cycle
        return cycle.at is not None and cycle.result is not None and cycle.at.revision >= revision

    def _said(self, cycle: CycleResult, _status: NodeStatus, _seconds: float) -> None:
        self.cycle = cycle
        if cycle.at is None or self._seen == (cycle.at.revision, cycle.at.digest):
            return
        self._seen = (cycle.at.revision, cycle.at.digest)
        self._recorder.follower_states.append(FollowerState(self.name, self._life, now(), *self._seen))
