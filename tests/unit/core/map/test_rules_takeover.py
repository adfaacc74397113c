"""Rules of Luns that nodes take over from one another, and their edits."""

from typing import Any

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, Failback, FloatingGroup, GroupId, Lun, Lunmap, Map, Takeover
from lunmapd.core.edits.assign import assign_fields
from lunmapd.core.edits.servers import remove_node
from lunmapd.core.map import rules
from lunmapd.core.placement.leased_groups import leased_groups, takeover_luns
from support.small_map import LUN, MAP
from support.takeover_map import GROUP, TAKEN, TAKEOVER, THREE, H, T

U = "iqn.2026-01.org.example:u"


def with_lun(lunmap: Lunmap, **fields: Any) -> Lunmap:
    """Return the map with other fields of the Lun."""
    return replace(lunmap, luns={"a": replace(lunmap.luns["a"], **fields)})


def preferred_problems(lunmap: Lunmap) -> list[str]:
    """Return the problems of the field."""
    problems = (str(each) for each in rules.check_map(lunmap))
    return [
        text.removeprefix("luns[a].preferred: ") for text in problems if "preferred" in text.split(":")[0]
    ]


TWO_TARGETS = replace(
    with_lun(TAKEOVER, maps=(Map(T, 3, H), Map(U, 3, H))), targets={**MAP.targets, U: MAP.targets[T]}
)
FLOATS = replace(
    TAKEOVER,
    targets={
        T: replace(MAP.targets[T], floating={"g": FloatingGroup(9, ("10.0.0.9:3260",), ("n1", "n2"), 9)})
    },
)


@pytest.mark.parametrize(
    ("lunmap", "sentences"),
    [
        (TAKEOVER, []),
        (with_lun(TAKEOVER, others=AluaState.UNAVAILABLE), []),
        (with_lun(TAKEOVER, others=AluaState.NON_OPTIMIZED), []),
        (with_lun(TAKEOVER, maps=()), []),
        (with_lun(TAKEOVER, preferred=("n1",)), ["at least two nodes"]),
        (with_lun(TAKEOVER, preferred=()), ["at least two nodes"]),
        (with_lun(TAKEOVER, preferred=("n1", "n2", "n1")), ["'n1' is given twice"]),
        (with_lun(TAKEOVER, preferred=("n1", "n9")), ["'n9' does not report the Lun"]),
        (with_lun(TAKEOVER, others=AluaState.OPTIMIZED), ["no effect beside 'others: optimized'"]),
        (TWO_TARGETS, [f"not through {T}, {U}"]),
        (FLOATS, [f"{T} has floating portal groups"]),
    ],
)
def test_a_list_must_make_sense(lunmap: Lunmap, sentences: list[str]) -> None:
    """Each node of it reports the Lun, which has one target without floating groups, and others differ."""
    found = preferred_problems(lunmap)
    assert len(found) == len(sentences)
    assert all(sentence in text for sentence, text in zip(sentences, found, strict=True))


def test_a_list_is_not_warned_of_as_one_node_is() -> None:
    """If the one preferred node fails, the Lun has no path; of a list, another node takes it over."""
    assert rules.map_warnings(TAKEOVER) == rules.map_warnings(MAP)
    (found,) = set(rules.map_warnings(with_lun(TAKEOVER, preferred="n1"))) - set(rules.map_warnings(MAP))
    assert "a list of nodes in 'preferred' lets another node take the Lun over" in str(found)


def test_luns_of_a_target_with_one_list_are_one_group() -> None:
    """Another order is another group, a Lun with one node or without maps is in none."""
    luns = {
        "a": TAKEN,
        "b": TAKEN,
        "c": replace(TAKEN, preferred=("n2", "n1")),
        "d": replace(TAKEN, preferred="n1"),
        "e": replace(TAKEN, maps=()),
        "f": LUN,
    }
    lunmap = replace(TAKEOVER, luns=luns)
    assert takeover_luns(lunmap) == {GROUP: ("a", "b"), GroupId(T, "n2,n1"): ("c",)}
    assert {name: group.nodes for name, group in leased_groups(lunmap).items()} == {
        GROUP: ("n1", "n2"),
        GroupId(T, "n2,n1"): ("n2", "n1"),
    }


def test_a_target_says_how_its_lists_change_their_owner() -> None:
    """By default as a floating portal group does; its times have the same limits."""
    given = Takeover(Failback.MANUAL, 40, 5)
    lunmap = replace(TAKEOVER, targets={T: replace(MAP.targets[T], takeover=given)})
    found = leased_groups(lunmap)[GROUP]
    assert (found.failback, found.failback_after, found.grace) == (Failback.MANUAL, 40, 5)
    assert leased_groups(replace(TAKEOVER, targets={}))[GROUP].grace == 2
    wrong = replace(lunmap, targets={T: replace(MAP.targets[T], takeover=Takeover(grace=601))})
    problems = [str(each) for each in rules.check_map(wrong)]
    assert f"targets[{T}].takeover.grace: 601 is not a number of seconds: use 0 to 600" in problems


def test_the_short_form_sets_a_list() -> None:
    """With commas it is a list, without one a node, and nothing is the default."""
    for text, value in (("n1,n2", ("n1", "n2")), ("n2", "n2"), ("", "")):
        found = assign_fields("luns", "a", TAKEN, [f"preferred={text}"])
        assert isinstance(found, Lun)
        assert found.preferred == value


def test_a_node_that_is_removed_leaves_the_lists() -> None:
    """Of two nodes the other one stays, without a list."""
    three = with_lun(THREE, preferred=("n1", "n3", "n2"))
    assert remove_node(three, "n3").luns["a"].preferred == ("n1", "n2")
    assert remove_node(TAKEOVER, "n1").luns["a"].preferred == "n2"
    assert remove_node(with_lun(TAKEOVER, preferred="n1"), "n1").luns["a"].preferred == ""
