"""Following the map: reading the tree, and the local snapshot when the tree can't be read."""

import logging
import random
import time
from collections.abc import Callable
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.loop.confirmations import Confirmations
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.snapshot_fallback import NOT_READ, assess_snapshot, no_map
from lunmapd.agent.state.map_snapshot import KeptSnapshot, LocalSnapshot, SnapshotDamagedError
from lunmapd.core.base.event_reasons import FullRead, WakeCause
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import FRESH, KEPT, UNEDITED, ConditionUpdate, false_condition, true_condition
from lunmapd.core.history.map_change import MapChange, change_among, change_between
from lunmapd.store.session.errors import ForeignClusterError, RestoredError, StoreError, UnsteadyError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.out_of_band import describe_edits
from lunmapd.store.tree.refresh import MapRead, read_again, read_newer
from lunmapd.store.tree.rollout import RolloutDeadline
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.store.tree.watch import watch_head

_log = logging.getLogger(__name__)

Read = Callable[[Session, Snapshot | None], MapRead]
MapListener = Callable[[Snapshot | None, Snapshot, MapChange], None]
"""Called with the map that was followed, None for the first one, the one that follows it, and the change."""

_SPREAD = 0.1  # share of `full_read`, so that nodes that started together don't read together


class ReadResult(Struct, frozen=True):
    """The result of a read: the map to follow, None for none, and the error if that is not the newest map.

    `change` leads to the map from the one that was followed until then; None if nothing new was read. `owner`
    is as in MapRead.
    """

    snapshot: Snapshot | None
    error: StoreError | None
    conditions: tuple[ConditionUpdate, ...]
    change: MapChange | None = None
    owner: int = 0


def read_accepted(session: Session, read: Read, known: Snapshot | None, home: str) -> MapRead:
    """Read the tree, which must continue what is `known`; a restored tree only if it was confirmed since.

    Where nothing is known, only the tree of cluster `home` is accepted, "" for any. Raises StoreError.
    """
    try:
        found = read(session, known)
    except RestoredError as error:
        if not error.confirmed:
            raise
        found = read(session, None)
    snapshot = found.snapshot
    if known is None and home not in {"", snapshot.cluster}:
        raise ForeignClusterError(home, snapshot.cluster)
    # Only a commit needs the versions of znodes, and a node makes none.
    return found._replace(snapshot=replace(snapshot, versions={})) if snapshot.versions else found


class Follower:
    """Reads the tree, and keeps the last map in memory and in the local snapshot.

    `now` is a monotonic clock and `wall` a Unix clock, both in seconds.
    """

    def __init__(  # noqa: PLR0913 - clocks and home are options
        self,
        session: Session,
        local: LocalSnapshot,
        policy: Policy,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        *,
        node: str,
        home: str = "",
        changed: MapListener = lambda *_: None,
    ) -> None:
        """Load the local snapshot. `node` is the name of the node: it decides what is followed in a rollout.

        If it is damaged, only the tree of the cluster `home` is followed, "" for any. `changed` is called
        with the map that was followed and each other one that was read, before that is stored.
        """
        self._session = session
        self._local = local
        self._policy = policy
        self._now = now
        self._full_at = float("-inf")
        self._full_reason = FullRead.START
        kept, self._stale = self._load(wall())
        self._known = None if kept is None else kept.snapshot
        self._changed = changed
        self._node = node
        self._deadline = RolloutDeadline(session, node, now)
        self._home = home if local.is_lost else ""
        self._effective = self._known if self._stale.reason == Reason.FROM_SNAPSHOT else None
        self.confirmations = Confirmations(
            session, local.hold, 0 if kept is None else kept.held or kept.snapshot.revision
        )

    def read(self) -> ReadResult:
        """Read the tree; the result of a read that fails is `unread`."""
        try:
            found = self._read_newest()
            if self._deadline.undo_if_due(found.snapshot):
                found = self._refreshed()
        except StoreError as error:
            return self.unread(error)
        change = self._store(found)
        fresh = true_condition(FRESH, Reason.READ, "the effective map is the newest in ZooKeeper")
        conditions = (fresh, self._kept(), _edits(found.snapshot))
        return ReadResult(found.snapshot, None, conditions, change, found.owner)

    def unread(self, error: StoreError) -> ReadResult:
        """Return the map to follow while the tree can't be read because of `error`."""
        return ReadResult(self._effective, error, (self._stale, self._kept()))

    @property
    def has_map(self) -> bool:
        """Whether there is a map to follow while the tree can't be read."""
        return self._effective is not None

    @property
    def until_deadline(self) -> float:
        """The seconds until the node undoes the rollout under way, infinite if it won't."""
        return self._deadline.left

    def adopt(self, policy: Policy) -> None:
        """Use another policy from now on; the next read is a full one."""
        self._policy = policy
        self._full_at, self._full_reason = float("-inf"), FullRead.RELOADED

    def watch(self, notify: Callable[[WakeCause], None]) -> None:
        """Call `notify`, from another thread, when there may be something new to read."""
        watch_head(self._session, notify)

    def tidy(self) -> None:
        """Compact the local snapshot if it has grown too large."""
        self._local.tidy()

    def _load(self, now: float) -> tuple[KeptSnapshot | None, ConditionUpdate]:
        try:
            kept = self._local.load()
        except SnapshotDamagedError as error:
            _log.warning("%s", error, extra=journal_fields(Message.SNAPSHOT_DAMAGED))
            return None, no_map(Reason.SNAPSHOT_DAMAGED, str(error))
        return kept, assess_snapshot(kept, self._policy.snapshot_max_age, now)

    def _read_newest(self) -> MapRead:
        """Read the changes; at first and every `full_read` seconds everything, to find out-of-band edits.

        A full read that fails stays due, so that its error is reported until the tree is repaired.
        """
        now = self._now()
        if now < self._full_at:
            return self._refreshed()
        try:
            found = self._accepted(partial(read_again, reason=self._full_reason, node=self._node))
        except UnsteadyError:
            # Commits follow each other too fast for a full read; the changes can be read.
            found = self._refreshed()
        spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - nothing secret about it
        self._full_at, self._full_reason = now + self._policy.full_read * spread, FullRead.DUE
        return found

    def _refreshed(self) -> MapRead:
        return self._accepted(partial(read_newer, node=self._node))

    def _accepted(self, read: Read) -> MapRead:
        """Read the tree as `read_accepted` does."""
        return read_accepted(self._session, read, self._known, self._home)

    def _store(self, found: MapRead) -> MapChange | None:
        """Keep the map in memory and on disk; return the change that led to it, None if nothing is new."""
        snapshot, before = found.snapshot, self._known
        change = _change(before, found) if before is None or snapshot != before else None
        if change is not None:
            # Before the local snapshot: after a crash the change must be seen again, or be recorded.
            self._changed(before, snapshot, change)
        self._known = self._effective = snapshot
        self._stale = NOT_READ
        if before is not None and before.incarnation != snapshot.incarnation:
            self.confirmations.restart()
        if change is None:
            self._local.touch(self._policy.snapshot_max_age)
        else:
            self._local.keep(snapshot, change)
        return change

    def _kept(self) -> ConditionUpdate:
        if self._local.problem:
            return false_condition(KEPT, Reason.UNWRITABLE, self._local.problem)
        return true_condition(KEPT, Reason.KEPT, "the last map read would survive a restart")


def _change(before: Snapshot | None, found: MapRead) -> MapChange:
    """Return the change that a read brought; the maps are compared only if everything was read."""
    known, lunmap = EMPTY_MAP if before is None else before.lunmap, found.snapshot.lunmap
    if found.objects is None:
        return change_between(known, lunmap)
    return change_among(found.objects, known, lunmap)


def _edits(snapshot: Snapshot) -> ConditionUpdate:
    if not snapshot.has_edits:
        return true_condition(UNEDITED, Reason.AS_COMMITTED, "every object is as it was committed")
    text = (
        "out-of-band edits, which are followed unless a commit would refuse them: "
        f"{describe_edits(snapshot)}; "
        "the next 'lunmapctl apply' includes or reverts them"
    )
    return false_condition(UNEDITED, Reason.EDITED_AROUND, text)
