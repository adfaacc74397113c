"""The page of a cluster with groups that one node owns, and during a rollout."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.client import FleetNode
from lunmapd.core.fleet.status import GroupPhase, GroupStatus
from lunmapd.core.history.changes import Rollout
from lunmapd.service.ctl.page.blocks import PageTable, Sentences, WebPage
from lunmapd.service.ctl.page.overview import overview, verdict
from lunmapd.service.ctl.page.reading import ClusterReading
from support import floating_map, takeover_map
from support.forecasts import REVISION, status
from support.reading import HERE, WELL, node, reading
from support.small_map import drained

OWNED, WAITING = node(HERE, floating=(takeover_map.OWNER,)), node(HERE, floating=(takeover_map.STANDBY,))
UNFIT = node(HERE, floating=(takeover_map.UNFIT,))
DEAD = FleetNode(None, status())
GOLD = GroupStatus(floating_map.T, "gold", GroupPhase.OWNER, "n1", "10:00", fit=True)
ROLLOUT = Rollout(REVISION, REVISION - 1, "d", ("n1",), 600, began=0.0)


def groups(page: WebPage) -> list[list[str]]:
    """Return the texts of the table of groups."""
    (found,) = [part for part in page.parts if isinstance(part, PageTable) and part.columns[0] == "GROUP"]
    return [[cell.text for cell in row] for row in found.rows]


@pytest.mark.parametrize(
    ("nodes", "owner", "candidates"),
    [
        ({"n1": OWNED, "n2": WAITING}, "n1", "n1 owns it; n2 can take it"),
        ({"n1": OWNED, "n2": DEAD}, "n1", "n1 owns it; n2 is dead"),
        ({"n1": OWNED, "n2": UNFIT}, "n1", "n1 owns it; n2 is not fit: luns/a: DeviceMissing"),
        ({"n1": WAITING, "n2": WAITING}, "none", "n1 can take it; n2 can take it"),
    ],
)
def test_a_takeover_group_has_its_owner_and_those_that_could_be_it(
    nodes: Mapping[str, FleetNode], owner: str, candidates: str
) -> None:
    """With the time since when, and without an owner the command that shows why."""
    ((name, target, serves, shown, since, others, helps),) = groups(
        overview(reading(nodes, takeover_map.TAKEOVER))
    )
    assert (name, target, shown, serves, others) == ("n1,n2", "t", owner, "1 Lun", candidates)
    assert (since, helps) == (("10:00", "") if owner == "n1" else ("-", "lunmapctl float list"))


def test_a_floating_group_has_its_addresses() -> None:
    """A drained owner is still the owner, until it has released them."""
    nodes = {"n1": node(floating=(GOLD,)), "n2": DEAD, "n3": node()}
    (row,) = groups(overview(reading(nodes, drained(floating_map.FLOATING, "n1"))))
    assert (row[2], row[5]) == (floating_map.PORTAL, "n1 is drained, and still the owner; n2 is dead")


def test_a_map_without_groups_has_no_table_of_them() -> None:
    """Nor has a cluster without a rollout commands for it."""
    page = overview(reading())
    assert not any(isinstance(part, PageTable) and part.columns[0] == "GROUP" for part in page.parts)
    assert not any(isinstance(part, Sentences) for part in page.parts)


@pytest.mark.parametrize(
    ("rollout", "revision", "words", "commands"),
    [
        (
            ROLLOUT,
            REVISION,
            "revision 3 is tried on n1 until 1970-01-01T00:10:00Z",
            ["lunmapctl rollout continue", "lunmapctl confirm", "lunmapctl rollout abort"],
        ),
        (
            replace(ROLLOUT, first=(), seconds=0),
            REVISION,
            "revision 3 is tried",
            ["lunmapctl confirm", "lunmapctl rollout abort"],
        ),
        (
            ROLLOUT,
            REVISION + 1,
            "revision 3 was not confirmed in time, and is undone",
            ["lunmapctl rollout abort"],
        ),
    ],
)
def test_a_rollout_is_stated_with_the_commands_that_end_it(
    rollout: Rollout, revision: int, words: str, commands: list[str]
) -> None:
    """The sentence has the nodes that try it and the deadline."""
    page = overview(trying(rollout, revision))
    assert words in page.sentence.text
    assert page.sentence.text == verdict(trying(rollout, revision).status)
    (ends,) = [
        part for part in page.parts if isinstance(part, Sentences) and part.caption == "What ends the rollout"
    ]
    assert [cell.command for cell in ends.items] == commands


def trying(rollout: Rollout, revision: int) -> ClusterReading:
    """Return a reading during a rollout, whose nodes follow a revision."""
    return reading(WELL, rollout=rollout, revision=revision)
