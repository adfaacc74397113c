"""The deadline of a rollout, after which a node undoes it for all nodes."""

import logging
import math
from collections.abc import Callable

from kazoo.exceptions import NoNodeError

from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.history.changes import Rollout
from lunmapd.core.history.rollout import is_undone, seconds_left
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.roles import create_znode
from lunmapd.store.tree.snapshot import Snapshot

_log = logging.getLogger(__name__)


class RolloutDeadline:
    """Counts down to the deadline of the rollout under way, on a monotonic clock `now`, in seconds.

    The time of the servers is asked for once for each rollout, when the node first reads it: a node that
    starts during a rollout has the same deadline as the others, and a step of the servers' clocks later on
    moves no deadline of a running node.
    """

    def __init__(self, session: Session, node: str, now: Callable[[], float]) -> None:
        """Start without a rollout."""
        self._session = session
        self._node = node
        self._now = now
        self._rollout: tuple[int, int] | None = None
        self._ends = math.inf
        self._is_tried = False

    def undo_if_due(self, snapshot: Snapshot) -> bool:
        """Undo the rollout of a snapshot that was just read if its time is over; return whether it is.

        Raises StoreError.
        """
        rollout = snapshot.rollout
        if rollout is None or is_undone(rollout, snapshot.revision):
            self._rollout, self._ends = None, math.inf
            return False
        if self._rollout != (snapshot.incarnation, rollout.revision):
            self._ends = self._end_of(rollout)
            self._rollout, self._is_tried = (snapshot.incarnation, rollout.revision), False
        if self._now() < self._ends:
            return False
        self._is_tried = True
        if undo_rollout(self._session, snapshot.incarnation, rollout, self._node):
            _log.warning(
                "revision %s was not confirmed within %s s: all nodes follow revision %s, which undoes it",
                rollout.revision,
                rollout.seconds,
                rollout.undo,
                extra=journal_fields(Message.ROLLOUT_UNDONE),
            )
        return True

    def _end_of(self, rollout: Rollout) -> float:
        if not rollout.seconds:
            return math.inf
        left = seconds_left(rollout, read_server_time(self._session, self._node))
        # Read after the answer: the seconds that a slow answer takes are not part of `left` again.
        return self._now() + left

    @property
    def left(self) -> float:
        """The seconds until the deadline; infinite if there is none, or if it has passed and was acted on."""
        return math.inf if self._is_tried else max(0.0, self._ends - self._now())


def read_server_time(session: Session, node: str) -> float:
    """Return the time of the servers, as a Unix time in seconds.

    The leader stamps each write with its clock (org.apache.zookeeper.server.PrepRequestProcessor); `node`
    writes its own znode, which stays empty. Raises StoreError.
    """
    path = paths.member_of(node)
    stat = session.repeat(lambda client: client.set_async(session.path(path), b""), path)
    return stat.mtime / 1000


def undo_rollout(session: Session, incarnation: int, rollout: Rollout, node: str) -> bool:
    """Undo a rollout for all readers; return False if it was ended meanwhile. Raises StoreError."""
    try:
        create_znode(session, f"{paths.rollout_of(incarnation, rollout.revision)}/{node}")
    except NoNodeError:
        return False
    return True
