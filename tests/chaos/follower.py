"""Followers: storage nodes with the agent of lunmapd on a fake LIO, which record each state of the map that they had."""

import threading
from pathlib import Path

from chaos.history import Sighting
from chaos.recorder import Recorder, now
from fakes.lio import FakeLio
from lab.wait import PATIENCE
from lunmapd.agent.loop.agent import Agent, utc_now
from lunmapd.agent.loop.disk import Local
from lunmapd.agent.loop.follow import Follower as MapFollower
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Member
from lunmapd.agent.loop.report import Turn
from lunmapd.agent.loop.wakeup import Bell
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.machine_id import Identity
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.core.planning.guard import Limits
from lunmapd.store.session.session import Session

_NEVER = 3600.0  # at rest only the watch wakes it: a lost watch is a follower that stays behind
_RETRY = 0.2
_POLICY = Policy(
    limits=Limits(share=1.0), audit=3600.0
)  # random maps lose much at once, and nobody is there to confirm it


class Follower:
    """One node: a kernel and a directory that stay, and a daemon that lives from `start` to `stop`, again and again."""

    def __init__(self, name: str, directory: Path, recorder: Recorder) -> None:
        self.name = name
        self.kernel = FakeLio()
        self.session: Session | None = None
        self.turn = Turn()
        self._directory = directory
        self._recorder = recorder
        self._life = 0
        self._seen: tuple[int, str] | None = None
        self._bell, self._stops = Bell(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, session: Session) -> None:
        """Begin a life that knows nothing but what lies in the kernel and in the directory; `session` is its own."""
        self._life += 1
        self._seen = None
        self.session = session
        self._bell, self._stops = Bell(), threading.Event()
        member = Member(session, self.name, Identity(self.name, str(self._life)), utc_now())
        state = self._directory / self.name
        state.mkdir(exist_ok=True)
        following = MapFollower(session, LocalSnapshot(state), _POLICY)
        agent = Agent(member, following, self.kernel, Local(Claims(state / "claims.json")), _POLICY)
        run = (self._bell, self._stops.is_set, self._said, _waits)
        self._thread = threading.Thread(target=agent.run, args=run, name=self.name, daemon=True)
        session.start()
        self._thread.start()

    def stop(self) -> None:
        """End the life, and its session."""
        if self._thread is None or self.session is None:
            return
        self._stops.set()
        self._bell.ring()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self.name} doesn't end"
        self.session.close()
        self._thread = None

    def has(self, revision: int) -> bool:
        """Tell whether the kernel was seen to be as this revision, or a later one, says."""
        turn = self.turn
        return turn.at is not None and turn.result is not None and turn.at.revision >= revision

    def _said(self, turn: Turn) -> None:
        self.turn = turn
        if turn.at is None or self._seen == (turn.at.revision, turn.at.digest):
            return
        self._seen = (turn.at.revision, turn.at.digest)
        self._recorder.sightings.append(Sighting(self.name, self._life, now(), *self._seen))


def _waits() -> tuple[float, float]:
    return _NEVER, _RETRY
