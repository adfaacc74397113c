"""What an owner can expect of the other nodes of a group for a change of a revision."""

import pytest

from lunmapd.core.floating.documents import CandidateView, Report
from lunmapd.core.floating.others import others_of
from lunmapd.core.planning.moving import Others


def view(revision: int, *, fit: bool = True, moving: bool = False, live: bool = True) -> CandidateView:
    """Return a candidate."""
    return CandidateView(Report(fit=fit, revision=revision, moving=moving), live)


ROWS = [
    ("alone", {}, Others.NONE),
    ("another has applied it", {"n3": view(5)}, Others.READY),
    ("another has applied a later one", {"n3": view(6)}, Others.READY),
    ("another has not", {"n3": view(4)}, Others.BEHIND),
    ("one of two has", {"n1": view(5), "n3": view(4)}, Others.BEHIND),
    ("the other has, and can't serve", {"n3": view(5, fit=False)}, Others.NONE),
    ("the other is dead", {"n3": view(4, live=False)}, Others.NONE),
    ("the other can't serve yet", {"n3": view(4, fit=False)}, Others.BEHIND),
    ("one has, and one waits itself", {"n1": view(5), "n3": view(0, moving=True)}, Others.READY),
    ("a later name waits, too", {"n3": view(0, moving=True)}, Others.READY),
    ("an earlier name waits, too", {"n1": view(0, moving=True)}, Others.BEHIND),
    ("a later name gives its groups away", {"n3": view(0, fit=False, moving=True)}, Others.BEHIND),
    ("its own report counts not", {"n2": view(5)}, Others.NONE),
]


@pytest.mark.parametrize(("views", "others"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_reports_of_the_candidates_decide(views: dict[str, CandidateView], others: Others) -> None:
    """Live nodes must have applied the revision, and one of them must be fit."""
    assert others_of("n2", views, 5) is others
