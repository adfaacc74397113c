"""The choice of the owner of a floating portal group."""

import pytest

from lunmapd.core.base.lunmap import Failback, FloatingGroup
from lunmapd.core.floating.choice import Candidate, choose_owner

GROUP = FloatingGroup(1001, ("10.0.0.50:3260",), ("n1", "n2", "n3"), 77)
STEADY = FloatingGroup(1001, ("10.0.0.50:3260",), ("n1", "n2", "n3"), 77, Failback.MANUAL)
FIT = Candidate(fit=True, settled=True, served=4)
NEW = Candidate(fit=True, served=4)
HALF = Candidate(served=2)
LESS = Candidate(served=1)

CHOICES = [
    ("the first fit one", GROUP, {"n2": FIT, "n3": FIT}, "", "", "n2"),
    ("a fit owner stays", STEADY, {"n1": FIT, "n2": FIT}, "n2", "", "n2"),
    ("the preferred one takes it back", GROUP, {"n1": FIT, "n2": FIT}, "n2", "", "n1"),
    ("but not before it has been fit for long", GROUP, {"n1": NEW, "n2": FIT}, "n2", "", "n2"),
    ("nor from a node that is preferred to it", GROUP, {"n2": NEW, "n3": FIT}, "n2", "", "n2"),
    ("an unfit owner loses it", GROUP, {"n1": HALF, "n3": FIT}, "n1", "", "n3"),
    ("a wish", GROUP, {"n1": FIT, "n3": NEW}, "n1", "n3", "n3"),
    ("a wish for an unfit node", GROUP, {"n1": FIT, "n3": HALF}, "n1", "n3", "n1"),
    ("an owner that left the list", GROUP, {"n1": FIT, "n9": FIT}, "n9", "", "n1"),
    ("nobody is fit: the best", GROUP, {"n1": LESS, "n2": HALF}, "n1", "", "n2"),
    ("of equals the owner", GROUP, {"n1": HALF, "n2": HALF}, "n2", "", "n2"),
    ("of equals the first", GROUP, {"n2": HALF, "n3": HALF}, "n1", "", "n2"),
    ("nobody serves any Lun", GROUP, {}, "n1", "", ""),
]


@pytest.mark.parametrize(
    ("group", "candidates", "owner", "wish", "chosen"),
    [row[1:] for row in CHOICES],
    ids=[row[0] for row in CHOICES],
)
def test_the_owner_follows_from_fitness_and_order(
    group: FloatingGroup, candidates: dict[str, Candidate], owner: str, wish: str, chosen: str
) -> None:
    """Fitness decides first, then a wish, the present owner and the order of the map."""
    assert choose_owner(group, candidates, owner, wish) == chosen
