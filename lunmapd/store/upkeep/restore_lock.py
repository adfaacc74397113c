"""The lock of a restore on its chroot."""

import uuid
from collections.abc import Sequence

from lunmapd.core.base.permissions.principals import FLOATING, MEMBERS, ROLLOUTS
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import SendFailure, submit_repeatable
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import list_children, read_znodes
from lunmapd.store.upkeep.remove import deletions
from lunmapd.store.upkeep.restore_errors import RestoreBusyError

_KEPT = frozenset({paths.META, MEMBERS, FLOATING, paths.RESTORING, paths.ADDRESSES, paths.QUEUE, ROLLOUTS})


class RestoreLock:
    """Lets one restore at a time write to a chroot: the one whose znode `mark`, of a unique name, exists."""

    def __init__(self, session: Session) -> None:
        """Prepare the lock; `take` writes to the chroot."""
        self._session = session
        self.mark = f"{paths.RESTORING}/{uuid.uuid4()}"

    def take(self, head_version: int | None) -> None:
        """Lock the chroot: delete the head of its tree, and the lock of another restore, which then fails.

        `head_version` is the version of head, None without a head. From now on there is no tree, but meta
        stays: it holds the cluster and the incarnation, and new znodes inherit its ACL. Raises
        RestoreBusyError.
        """
        deleted = [] if head_version is None else [Write(paths.HEAD, b"", None, head_version)]
        deleted += [write for write in deletions(self._session, paths.META) if write.path != paths.META]
        deleted += deletions(self._session, paths.RESTORING)
        created = (Write(paths.RESTORING, None, b""), Write(self.mark, None, b""))
        failure = submit_repeatable(self._session, (*deleted, *created), ())
        if failure is not None and not self._is_there(self.mark):
            raise RestoreBusyError(failure.path)

    def write(self, writes: Sequence[Write]) -> None:
        """Make all writes or none.

        Raises RestoreBusyError if they can't be made, or if another restore took the lock.
        """
        failure = submit_repeatable(self._session, writes, (self.mark,))
        if failure is not None and (failure.path == self.mark or not self._are_done(writes)):
            raise RestoreBusyError(failure.path)

    def finish(self, writes: Sequence[Write]) -> SendFailure | None:
        """Make the last writes and delete the lock, in one transaction; return what failed."""
        ends = (Write(self.mark, b"", None), Write(paths.RESTORING, b"", None))
        return submit_repeatable(self._session, (*ends, *writes), (self.mark,))

    def clear(self) -> None:
        """Delete everything except meta, the ledger and what nodes may have made; the parents stay.

        A lease that was deleted could be taken while its owner still has the address.

        Raises RestoreBusyError.
        """
        for name in list_children(self._session, "") or ():
            if name not in _KEPT:
                below = [write for write in deletions(self._session, name) if write.path != name]
                for batch in batches(below, WriteOverhead(len(self._session.root))):
                    self.write(batch)

    def _are_done(self, writes: Sequence[Write]) -> bool:
        """Return whether the writes are made already, as after a lost reply."""
        raws = read_znodes(self._session, [write.path for write in writes])
        return all(
            (None if raw is None else raw.data) == write.after
            for raw, write in zip(raws, writes, strict=True)
        )

    def _is_there(self, path: str) -> bool:
        return read_znodes(self._session, (path,)) != [None]
