"""Watching the first nodes of a rollout: whether they apply the revision, and get no new problem."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from lunmapd.client.fleet import (
    Fleet,
    NotAppliedError,
    SeeFleet,
    check_not_undone,
    read_nodes,
    wait_applied,
    watch_nodes,
)
from lunmapd.client.rollouts import check_known
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.fleet.known_problems import KnownProblems
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.rollout_health import new_problems
from lunmapd.store.session.session import Session


class RolloutHaltedError(LunmapdError):
    """A rollout does not go on by itself: the first nodes have new problems, a sentence each."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, problems: tuple[str, ...]) -> None:
        self.revision, self.problems = revision, problems
        super().__init__("; ".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """The problems, and what to do next."""
        next_step = (
            f"the rollout of revision {self.revision} is halted, and the other nodes wait: 'lunmapctl "
            "rollout continue' releases it to them, 'lunmapctl rollout abort' undoes it"
        )
        return (*self.problems, next_step)


class FirstNodes:
    """The first nodes of a rollout, compared with what they were like before it."""

    def __init__(self, session: Session, before: Fleet, names: tuple[str, ...]) -> None:
        """Compare the nodes `names` with the state `before`."""
        self._session = session
        self._names = names
        self._before = before.views(datetime.now(UTC))

    def wait(self, revision: int, seconds: float, seen: SeeFleet, known: KnownProblems | None = None) -> None:
        """Wait until they have applied the revision, at most `seconds`.

        `seen` is called with each state of the nodes, `known` is as in `Client.wait_applied`. Raises
        RolloutHaltedError, and RolloutUndoneError.
        """

        def look(fleet: Fleet) -> None:
            seen(fleet)
            self._check(fleet, revision)

        try:
            wait_applied(self._session, revision, seconds, look, known)
        except NotAppliedError as error:
            raise RolloutHaltedError(revision, (str(error),)) from None

    def watch(self, revision: int, seconds: float, seen: SeeFleet) -> bool:
        """Watch them for `seconds`, and at least once; return whether the other nodes still wait.

        They do not if another admin has released the revision to them; then the watching ends. Raises as
        `wait` does.
        """
        for fleet in watch_nodes(self._session, seconds):
            if _is_ended(fleet, revision):
                check_not_undone(self._session, revision + 1)
                return False
            seen(fleet)
            self._check(fleet, revision)
        return True

    def halt(self, revision: int) -> NoReturn:
        """Leave the rollout as it is. Raises RolloutHaltedError."""
        raise RolloutHaltedError(revision, ())

    def _check(self, fleet: Fleet, revision: int) -> None:
        if problems := tuple(self._problems(fleet)):
            raise RolloutHaltedError(revision, problems)

    def _problems(self, fleet: Fleet) -> Iterator[str]:
        now = fleet.views(datetime.now(UTC))
        for name in self._names:
            for problem in new_problems(
                name, self._before[name], now.get(name, NodeView()), fleet.snapshot.lunmap
            ):
                yield f"{name}: {problem}"


def _is_ended(fleet: Fleet, revision: int) -> bool:
    rollout = fleet.snapshot.rollout
    return fleet.snapshot.revision > revision or rollout is None or not rollout.first


def read_first_nodes(session: Session, names: tuple[str, ...]) -> FirstNodes:
    """Read the nodes that try a revision first: see `Client.first_nodes`."""
    fleet = read_nodes(session)
    check_known(fleet.snapshot.lunmap, names)
    return FirstNodes(session, fleet, names)
