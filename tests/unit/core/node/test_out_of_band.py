"""Out-of-band edits: the accepted ones, and the values that stay as in the revisions."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import EffectiveMap, accept_edits
from lunmapd.core.node.project import project_map
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault
from support.small_map import LUN, MAP

RECORDED = {"luns/a": encode(LUN)}


def edited(lun: Lun) -> Lunmap:
    """Return the map with another form of its Lun."""
    return replace(MAP, luns={"a": lun})


@pytest.mark.parametrize(
    ("lun", "reason", "sentence"),
    [
        (replace(LUN, serial="2" * 32), Reason.SERIAL_IMMUTABLE, "make a new Lun under another name"),
        (replace(LUN, serial="x", size=512), Reason.SERIAL_IMMUTABLE, "lunmapctl repair"),
        (replace(LUN, size=1 << 19), Reason.EDIT_REFUSED, "can't shrink"),
        (
            replace(LUN, backing=Block("/srv/a"), size=None),
            Reason.EDIT_REFUSED,
            "can't change while the Lun is mapped",
        ),
        (replace(LUN, product="other"), Reason.EDIT_REFUSED, "can't change while the Lun is mapped"),
    ],
)
def test_what_a_commit_refuses_is_not_followed(lun: Lun, reason: str, sentence: str) -> None:
    """A Lun with an edited fixed value is desired as the revisions have it, and reported with the remedy."""
    judged = accept_edits(edited(lun), RECORDED)
    assert judged.lunmap == MAP
    (failure,) = judged.failures.values()
    assert failure.reason == reason
    assert sentence in failure.message
    assert "lunmapctl repair" in failure.message


def test_a_node_does_nothing_for_such_an_edit() -> None:
    """A Lun in use keeps its serial and its size."""
    judged = accept_edits(edited(replace(LUN, serial="2" * 32, size=512)), RECORDED)
    was = project_map(MAP, "n1")
    assert plan(compute_desired(judged.lunmap, {}, "n1", Observed(was), Vault("")).objects, was) == ()


@pytest.mark.parametrize(
    "lun", [replace(LUN, size=1 << 21), replace(LUN, maps=()), replace(LUN, maps=(), product="other")]
)
def test_what_a_commit_takes_is_followed(lun: Lun) -> None:
    """An edit that could have been a commit is as good as one."""
    assert accept_edits(edited(lun), RECORDED) == EffectiveMap(edited(lun))


@pytest.mark.parametrize(
    "recorded", [{}, {"luns/a": None}, {"luns/a": b"x"}, {"luns/b": encode(LUN)}, {"targets/a": b"{}"}]
)
def test_a_lun_that_the_revisions_made_anew_is_another_one(recorded: dict[str, bytes | None]) -> None:
    """Without an edit between the revisions and the map, any serial and size is accepted."""
    other = edited(replace(LUN, serial="2" * 32, size=512))
    assert accept_edits(other, recorded) == EffectiveMap(other)
