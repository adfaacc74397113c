"""The first page: one sentence, the nodes with the last revisions, refused logins."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.client import FleetNode
from lunmapd.core.fleet.status import Condition, Failing, Standing
from lunmapd.core.node.refused_logins import RefusedLogins
from lunmapd.service.ctl.page.blocks import PageTable, Query, Sentences, WebPage
from lunmapd.service.ctl.page.overview import nodes_listing, overview, refused_listing, verdict
from support.forecasts import NOW
from support.reading import DEAD, HERE, WELL, many_luns, node, reading
from support.small_map import H, T

FAILING = Failing("storage_object a", "BackingDeviceMissing", "no such file", "a")
HELD = Condition("Applied", status=False, reason="Held", message="1 step", since=NOW)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        (WELL, "All is well: 2 nodes; 1 Lun: 1 ok."),
        (DEAD, "Not all is well: n2 is dead; 1 Lun lacks a path."),
        ({}, "Not all is well: 1 Lun has no path."),
        (
            {"n1": node(HERE, conditions=(HELD,)), "n2": node(HERE, failing=(FAILING,), failing_count=1)},
            "Not all is well: n1 is held; n2 is degraded; 1 Lun lacks a path.",
        ),
    ],
)
def test_one_sentence_states_what_is_wrong(nodes: Mapping[str, FleetNode], sentence: str) -> None:
    """It names nodes that are dead or have not applied the map, and counts the Luns that lack paths."""
    assert verdict(reading(nodes).status) == sentence


def test_the_sentence_has_the_problems_of_the_tree() -> None:
    """An out-of-band edit, an object that can't be read, and more than three nodes with one problem."""
    status = reading().status
    dead = tuple(replace(status.nodes[0], node=f"n{number}", alive=False) for number in range(5))
    pending = replace(status.nodes[1], standing=Standing.CONVERGED, behind=2)
    wrong = replace(status, nodes=(*dead, pending), edited=("luns/a",), unreadable={"luns/b": "broken"})
    assert verdict(wrong) == (
        "Not all is well: n0, n1, n2 and 2 more are dead; n2 is behind the map; "
        "objects of the map can't be read; objects have an out-of-band edit."
    )


def test_nodes_are_a_matrix_with_the_last_revisions() -> None:
    """Each node has its state, and a cell for each of the last revisions, the oldest first."""
    listing = nodes_listing(reading(DEAD), Query())
    assert listing.columns[-3:] == ("REVISION 1", "REVISION 2", "REVISION 3")
    texts = [[cell.text for cell in row] for row in listing.rows]
    assert texts[0] == ["n1", "alive", "converged", "0s", "1", "applied", "applied", "applied"]
    assert texts[1][:3] == ["n2", "DEAD", "unknown"]


def test_a_refused_login_has_what_helps() -> None:
    """It is listed with its count, the last time and the command to copy."""
    refused = RefusedLogins(T, "authentication", 3, NOW, NOW, H, "10.0.0.9")
    listing = refused_listing(reading({**WELL, "n1": node(refused=(refused,))}), Query())
    ((where, what, times, last, helps),) = listing.rows
    assert (where.text, times.text, last.text) == ("n1", "3", NOW)
    assert f"{H} at 10.0.0.9 was refused by {T}" in what.text
    assert helps.command == f"lunmapctl secret set {H} --user USER"
    assert helps.around == ("", ", and the same password on the host")


def test_luns_that_lack_a_path_are_first() -> None:
    """Of many Luns the page has some, and the number of the others; a file has all."""
    many = reading(DEAD, many_luns(30))
    shown = luns(overview(many))
    assert (len(shown.rows), shown.note) == (20, "10 more Luns are in the list of all Luns.")
    assert len(luns(overview(many, most=None)).rows) == 30


def test_problems_are_bounded_and_refused_logins_are_listed_once() -> None:
    """The page has some problems and the number of the others; a file has all."""
    failing = tuple(Failing(f"storage_object {name}", "Gone", "no file") for name in range(50))
    refused = RefusedLogins(T, "authentication", 3, NOW, NOW, H, "10.0.0.9")
    sick = reading({**WELL, "n1": node(HERE, failing=failing, failing_count=50, refused=(refused,))})
    problems, *others = sentences(overview(sick))
    assert len(problems.items) == 21
    assert problems.items[-1].text == "30 more: the pages of the nodes and Luns have them"
    assert others == []
    (every,) = sentences(overview(sick, most=None))
    assert len(every.items) == 50


def sentences(page: WebPage) -> list[Sentences]:
    """Return the lists of sentences of a page."""
    return [part for part in page.parts if isinstance(part, Sentences)]


def luns(page: WebPage) -> PageTable:
    """Return the table of Luns of a page."""
    (found,) = [part for part in page.parts if isinstance(part, PageTable) and part.caption == "Luns"]
    return found
