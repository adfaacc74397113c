"""Taking a chroot for a restore: whose work it is, and nobody else's."""

import uuid
from collections.abc import Sequence

from lunmapd.core.base.access import MEMBERS
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import SendFailure, submit_repeatable
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import list_children, read_znodes
from lunmapd.store.upkeep.remove import deletions
from lunmapd.store.upkeep.restore_errors import RestoreBusyError


class RestoreLock:
    """The right to fill a chroot, as long as the znode `mark` is there, which has a name that nobody else knows."""

    def __init__(self, session: Session) -> None:
        """Prepare a claim; nothing is done before `take`."""
        self._session = session
        self.mark = f"{paths.RESTORING}/{uuid.uuid4()}"

    def take(self, head_version: int | None) -> None:
        """Take the chroot, and with it the tree that is there or what another restore left, whose claim then ends.

        `head_version` is that of the tree's head, None when there is none. From then on there is no tree, though meta stays
        for what it tells, and because new znodes take after it. Raises RestoreBusyError.
        """
        gone = [] if head_version is None else [Write(paths.HEAD, b"", None, head_version)]
        gone += [write for write in deletions(self._session, paths.META) if write.path != paths.META]
        gone += deletions(self._session, paths.RESTORING)
        made = (Write(paths.RESTORING, None, b""), Write(self.mark, None, b""))
        failure = submit_repeatable(self._session, (*gone, *made), ())
        if failure is not None and not self._is_there(self.mark):
            raise RestoreBusyError(failure.path)

    def do(self, writes: Sequence[Write]) -> None:
        """Make all writes or none. Raises RestoreBusyError when they can't be made, or the claim was taken by another."""
        failure = submit_repeatable(self._session, writes, (self.mark,))
        if failure is not None and (failure.path == self.mark or not self._are_done(writes)):
            raise RestoreBusyError(failure.path)

    def finish(self, writes: Sequence[Write]) -> SendFailure | None:
        """Make the last writes and give the claim up, at once; returns at what that failed."""
        ends = (Write(self.mark, b"", None), Write(paths.RESTORING, b"", None))
        return submit_repeatable(self._session, (*ends, *writes), (self.mark,))

    def clear(self) -> None:
        """Remove whatever is in the tree, but what the nodes wrote; the parents stay. Raises as `do` does."""
        for name in list_children(self._session, "") or ():
            if name not in {paths.META, MEMBERS, paths.RESTORING}:
                below = [write for write in deletions(self._session, name) if write.path != name]
                for batch in batches(below, WriteOverhead(len(self._session.root))):
                    self.do(batch)

    def _are_done(self, writes: Sequence[Write]) -> bool:
        """Tell whether the writes are there already, as after a lost answer."""
        found = read_znodes(self._session, [write.path for write in writes])
        return all(
            (None if raw is None else raw.data) == write.after
            for raw, write in zip(found, writes, strict=True)
        )

    def _is_there(self, path: str) -> bool:
        return read_znodes(self._session, (path,)) != [None]
