"""The transactions that end a rollout and keep its revision."""

from datetime import UTC, datetime

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.history.changes import Revision, Rollout
from lunmapd.store.commit.draft import Signature
from lunmapd.store.commit.draft_rollout import draft_confirmed, draft_released
from lunmapd.store.tree.snapshot import Snapshot

ROLLOUT = Rollout(5, 4, "before", ("n1",))
TRIED = Snapshot("c", 5, "tried", "tried", 7, EMPTY_MAP, confirmed=2, rollout=ROLLOUT)
SIGNATURE = Signature("ann", "", datetime(2026, 1, 1, tzinfo=UTC))
RECORD = encode(Revision(6, "before", "ann", "then", "undo", (), undoes=5))


def test_a_confirmation_confirms_the_removals() -> None:
    """Nodes that hold the removals of the revision apply them."""
    draft = draft_confirmed(TRIED, ROLLOUT, RECORD, SIGNATURE)
    assert (draft.head.revision, draft.head.digest, draft.head.confirmed) == (6, "tried", 5)
    assert (draft.revision.confirms, draft.revision.message) == (5, "confirm revision 5")


def test_a_release_confirms_no_removal() -> None:
    """It lets the other nodes follow, also without an admin (--pause); what they hold stays held."""
    draft = draft_released(TRIED, ROLLOUT, RECORD, SIGNATURE)
    assert (draft.head.revision, draft.head.digest, draft.head.confirmed) == (6, "tried", 2)
    assert draft.head.rollout is None
    assert (draft.revision.confirms, draft.revision.message) == (0, "release revision 5 to all nodes")
