"""Which removals are confirmed, and since when the node waits for a confirmation."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import map_at
from lunmapd.store.tree.snapshot import Snapshot


def confirmed_map(session: Session, snapshot: Snapshot, first: int) -> Lunmap | None:
    """Return the map up to which removals are confirmed.

    None when the confirmation is older than revision `first` (0: than the snapshot's), when there is none, or when
    the confirmed map can't be read.
    """
    if not snapshot.confirmed or snapshot.confirmed < (first or snapshot.revision):
        return None
    try:
        return map_at(session, snapshot, snapshot.confirmed)
    except StoreError:
        return None


class Confirmations:
    """Judges confirmations by when they were made.

    The kernel has what the revisions before `first` said. Only a confirmation of `first` or a later one knew what it
    takes away: an older one confirmed a map that had never heard of what was added since. `decided` is what a pass was
    to take away and could not; nobody has to be asked for it again.
    """

    def __init__(self, session: Session, keep: Callable[[int], None], first: int = 0) -> None:
        """Begin with the revision that was known before this run, 0 for none; `keep` keeps `first` of a hold on disk."""
        self._session = session
        self._keep = keep
        self._first = first
        self.decided: AbstractSet[lio_objects.Key] = frozenset()

    def confirmed(self, snapshot: Snapshot) -> Lunmap | None:
        """Return the confirmed map; see `confirmed_map`."""
        return confirmed_map(self._session, snapshot, self._first)

    @property
    def first(self) -> int:
        """The oldest revision whose confirmation counts, 0: the newest one."""
        return self._first

    def passed(self, revision: int, left: AbstractSet[lio_objects.Key]) -> None:
        """Note that a pass by this revision was made, and what of it is `left` to be taken away."""
        self._first = revision + 1
        self.decided = left
        self._keep(0)

    def held(self, revision: int) -> None:
        """Note that a pass by this revision was held."""
        self._first = self._first or revision
        self._keep(self._first)

    def restart(self) -> None:
        """Forget what was before: the tree has been restored, and its revisions count anew."""
        self._first = 1
