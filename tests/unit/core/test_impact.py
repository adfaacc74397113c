"""Who notices a step."""

import pytest

from lunmapd.core import lio
from lunmapd.core.impact import impact
from lunmapd.core.lunmap import AluaState
from lunmapd.core.observed import Observed, Session
from lunmapd.core.plan import Action, Disruption, Step

T = "iqn.2026-01.org.example:t"
H, OTHER = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
BACKING = lio.StorageObject("a", "iblock", "/dev/a", 0, "1")
PREFERRED = lio.StorageObject("a", "iblock", "/dev/a", 0, "1", alua=lio.Alua(1, AluaState.OPTIMIZED))
LUN, ACL = lio.TpgLun(T, 1, "a"), lio.NodeAcl(T, 1, H)
MAPPED = lio.MappedLun(T, 1, H, 0, "a", write_protect=False)
ENABLED = lio.Enabled(T, 1, 1)
ONE, TWO = Session(T, 1, H, "LOGGED_IN"), Session(T, 1, OTHER, "LOGGED_IN")
ELSEWHERE = Session(T, 2, H, "LOGGED_IN")
OBSERVED = Observed(lio.keyed([BACKING, LUN, ACL, MAPPED, ENABLED]), sessions=(ONE, TWO, ELSEWHERE))


@pytest.mark.parametrize(
    ("step", "worst", "sessions"),
    [
        (Step(Action.DELETE, MAPPED, ""), Disruption.PATH_LOSS, (ONE,)),
        (Step(Action.DELETE, ACL, ""), Disruption.SESSION_DROP, (ONE,)),
        (Step(Action.DELETE, ENABLED, ""), Disruption.SESSION_DROP, (ONE, TWO)),
        (Step(Action.DELETE, LUN, ""), Disruption.PATH_LOSS, (ONE,)),
        (Step(Action.UPDATE, PREFERRED, "", BACKING), Disruption.UNIT_ATTENTION, (ONE,)),
        (Step(Action.CREATE, LUN, ""), Disruption.NONE, ()),
        (Step(Action.DELETE, lio.MappedLun(T, 1, "iqn.2026-01.org.example:away", 0, "a", True), ""), Disruption.PATH_LOSS, ()),
    ],
)  # fmt: skip
def test_who_is_logged_in_notices(step: Step, worst: Disruption, sessions: tuple[Session, ...]) -> None:
    """A step concerns those that are logged in where it happens; with nobody there it disrupts nobody."""
    found = impact(step, OBSERVED)
    assert (found.worst, found.sessions) == (worst, sessions)
    assert found.now is (worst if sessions else Disruption.NONE)


def test_a_step_that_nobody_sees_concerns_nobody() -> None:
    """What is not seen by initiators can't disrupt them, whatever the class of it."""
    unseen = Observed(lio.keyed([BACKING]), sessions=(ONE,))
    assert impact(Step(Action.UPDATE, PREFERRED, "", BACKING), unseen).now is Disruption.NONE


def test_a_class_has_one_word() -> None:
    """The journal and `lunmapd plan` name a class of disruption alike."""
    assert [each.word for each in Disruption] == ["none", "unit-attention", "path-loss", "session-drop"]
