"""Following the map: what is read from the tree, and what stands in for it when it can't be read."""

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
from lunmapd.core.base.events import FullRead, WakeCause
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import FRESH, KEPT, UNEDITED, ConditionUpdate, false_condition, true_condition
from lunmapd.store.session.errors import ForeignClusterError, RestoredError, StoreError, UnsteadyError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.out_of_band import describe_edits
from lunmapd.store.tree.read import read_again, refresh
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.store.tree.watch import watch_head

log = logging.getLogger(__name__)

Read = Callable[[Session, Snapshot | None], Snapshot]

_SPREAD = 0.1  # of the time between full reads, so that nodes that started together don't read together


class ReadResult(Struct, frozen=True):
    """What a look at the tree came to: the map to follow (None: there is none), and why it is not the newest."""

    snapshot: Snapshot | None
    error: StoreError | None
    verdicts: tuple[ConditionUpdate, ...]


def read_accepted(session: Session, read: Read, known: Snapshot | None, home: str) -> Snapshot:
    """Read the tree, which must continue what is `known`; a restored tree only if it was confirmed since.

    Where nothing is known, only the tree of cluster `home` is accepted, "" for any. Raises StoreError.
    """
    try:
        snapshot = read(session, known)
    except RestoredError as error:
        if not error.confirmed:
            raise
        snapshot = read(session, None)
    if known is None and home not in {"", snapshot.cluster}:
        raise ForeignClusterError(home, snapshot.cluster)
    # The versions of znodes serve commits, and nobody commits from here.
    return replace(snapshot, versions={}) if snapshot.versions else snapshot


class Follower:
    """Keeps the last map read, in memory and on disk, and reads what is new. Clocks can be given."""

    def __init__(  # noqa: PLR0913 - clocks and home are options
        self,
        session: Session,
        local: LocalSnapshot,
        policy: Policy,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        *,
        home: str = "",
    ) -> None:
        """Take up what the local snapshot holds. If it is damaged, only the cluster `home` is followed, "" for any."""
        self._session = session
        self._local = local
        self._policy = policy
        self._now = now
        self._full_at = float("-inf")
        self._full_reason = FullRead.START
        kept, self._stale = self._load(wall())
        self._known = None if kept is None else kept.snapshot
        self._home = home if local.is_lost else ""
        self._in_force = self._known if self._stale.reason == Reason.FROM_SNAPSHOT else None
        self.holds = Confirmations(
            session, local.hold, 0 if kept is None else kept.held or kept.snapshot.revision
        )

    def read(self) -> ReadResult:
        """Read the tree; the result of a read that fails is `unread`."""
        try:
            found = self._look()
        except StoreError as error:
            return self.unread(error)
        self._know(found)
        fresh = true_condition(FRESH, Reason.READ, "the map in force is the newest in ZooKeeper")
        return ReadResult(found, None, (fresh, self._kept(), _edits(found)))

    def unread(self, error: StoreError) -> ReadResult:
        """Return the map to follow while the tree can't be read because of `error`."""
        return ReadResult(self._in_force, error, (self._stale, self._kept()))

    @property
    def has_map(self) -> bool:
        """Whether there is a map to follow while the tree can't be read."""
        return self._in_force is not None

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
            log.warning("%s", error, extra=journal_fields(Message.SNAPSHOT_DAMAGED))
            return None, no_map(Reason.SNAPSHOT_DAMAGED, str(error))
        return kept, assess_snapshot(kept, self._policy.snapshot_max_age, now)

    def _look(self) -> Snapshot:
        """Read what is new; everything at first and now and then, since edits around the tools leave no other trace.

        A full read that fails stays due, so that what it found is said until it is mended.
        """
        now = self._now()
        if now < self._full_at:
            return self._accepted(refresh)
        try:
            found = self._accepted(partial(read_again, reason=self._full_reason))
        except UnsteadyError:
            # So much is committed just now that only the changes can be read.
            found = self._accepted(refresh)
        spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - nothing secret about it
        self._full_at, self._full_reason = now + self._policy.full_read * spread, FullRead.DUE
        return found

    def _accepted(self, read: Read) -> Snapshot:
        """Read the tree as `read_accepted` does."""
        return read_accepted(self._session, read, self._known, self._home)

    def _know(self, found: Snapshot) -> None:
        before, self._known, self._in_force, self._stale = self._known, found, found, NOT_READ
        if before is not None and before.incarnation != found.incarnation:
            self.holds.restart()
        if before is not None and found == before:
            self._local.touch(self._policy.snapshot_max_age)
        else:
            self._local.keep(found)

    def _kept(self) -> ConditionUpdate:
        if self._local.trouble:
            return false_condition(KEPT, Reason.UNWRITABLE, self._local.trouble)
        return true_condition(KEPT, Reason.KEPT, "the last map read would survive a restart")


def _edits(snapshot: Snapshot) -> ConditionUpdate:
    if not snapshot.has_edits:
        return true_condition(UNEDITED, Reason.AS_COMMITTED, "every object is as the revisions say")
    text = f"changed around the tools, and followed unless a commit would refuse it: {describe_edits(snapshot)}; the next 'lunmapctl apply' takes it in or puts it right"
    return false_condition(UNEDITED, Reason.EDITED_AROUND, text)
