"""Which mass removals are confirmed, and since which revision the node waits for a confirmation."""

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

    None when the confirmation is older than revision `first` (0: than the snapshot's), when there is none, or
    when the confirmed map can't be read.
    """
    if not snapshot.confirmed or snapshot.confirmed < (first or snapshot.revision):
        return None
    try:
        return map_at(session, snapshot, snapshot.confirmed)
    except StoreError:
        return None


class Confirmations:
    """Decides which confirmation of the tree counts.

    LIO is as the revisions before `first` ask for. Only a confirmation of `first` or of a later revision was
    made with knowledge of what it removes: an older one confirmed a map without the objects that
    were added since. `decided` are the keys of the objects whose removal a pass decided and could not finish;
    it needs no further confirmation.
    """

    def __init__(self, session: Session, save: Callable[[int], None], first: int) -> None:
        """Start with the revision `first` that was known before the daemon started, 0 for none.

        `save` is called with the first revision that waits for a confirmation, 0 when none does any more.
        """
        self._session = session
        self._save = save
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
        """Record a pass by this revision; `left` are the keys of the objects that it has still to remove."""
        self._first = revision + 1
        self.decided = left
        self._save(0)

    def held(self, revision: int) -> None:
        """Record that the pass by this revision was held."""
        self._first = self._first or revision
        self._save(self._first)

    def restart(self) -> None:
        """Start over: the tree was restored, and its revisions are counted anew."""
        self._first = 1
