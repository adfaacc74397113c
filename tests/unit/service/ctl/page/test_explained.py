"""The pages of one object."""

from urllib.parse import quote

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Initiator, Map
from lunmapd.core.fleet.status import Failing
from lunmapd.service.ctl.page.blocks import Mood, PageTable, Query, Turn, WebPage
from lunmapd.service.ctl.page.explained import host_page, lun_page, node_page, pair_page, revision_page
from support.reading import DEAD, WELL, many_luns, node, reading, revisions
from support.small_map import LUN, MAP, H, T


def rows(page: WebPage | None, caption: str) -> list[list[str]]:
    """Return the texts of a table of a page."""
    assert page is not None
    (found,) = [part for part in page.parts if isinstance(part, PageTable) and part.caption == caption]
    return [[cell.text for cell in row] for row in found.rows]


def test_a_lun_has_its_maps_hosts_and_checks() -> None:
    """A check that failed is the first one in the table, and the sentence states it."""
    page = lun_page(reading(DEAD), "a", Query())
    assert rows(page, "Maps") == [["3", T, H, "rw"]]
    assert rows(page, "Hosts") == [[H, T, "n1", "-", "-"]]
    assert rows(page, "Checks")[0][:3] == ["n2", "node", "no"]
    assert page is not None
    assert page.sentence.text == "n2: dead: its session with ZooKeeper ended."
    assert page.facts == "WWID 36001405" + "1" * 25 + ", 1 MiB."
    assert [each.line for each in page.commands] == ["lunmapctl explain luns/a"]


def test_a_host_has_its_luns_and_what_helps() -> None:
    """A path that fails is named, with the command that mends it; so are all checks of one Lun."""
    page = host_page(reading({**WELL, "n2": node()}), H, Query())
    ((number, target, lun, *_, paths),) = rows(page, "Luns")
    assert (number, target, lun, paths) == ("3", "t", "a", "n1 ok, n2 not logged in")
    (problem,) = rows(page, "Problems")
    assert problem[4] == "on the host: iscsiadm -m discovery -t sendtargets -p 10.0.0.2:3260 --login"
    assert page is not None
    assert (page.sentence.text, page.facts) == ("n2: not logged in.", f"logged in to {T} at n1.")
    pair = pair_page(reading({**WELL, "n2": node()}), H, "a")
    assert pair is not None
    assert pair.sentence.text == "The host sees the Lun through 1 of 2 paths."
    assert ["n2", "login", "no", "not logged in"] in [row[:4] for row in rows(pair, "Checks")]


def test_the_sentence_states_what_is_wrong_and_counts_the_rest() -> None:
    """Also that a host of a Lun is not logged in, which is no check of a node; else that all is well."""
    page = lun_page(reading({**WELL, "n2": node()}), "a", Query())
    assert page is not None
    assert page.sentence.text == f"{H} is not logged in at n2."
    failing = tuple(Failing(f"storage_object {name}", "Gone", "no file", name) for name in ("a", "b"))
    sick = node_page(reading({"n1": node(failing=failing, failing_count=2)}), "n1", Query())
    assert sick is not None
    assert sick.sentence.text == "n1: storage_object a: Gone: no file; 2 more problems."
    assert sick.facts == "It reports 1 Lun."
    well = node_page(reading(), "n1", Query())
    assert well is not None
    assert (well.sentence.text, well.sentence.mood) == ("All is well.", Mood.GOOD)


def test_a_node_has_its_targets_and_what_depends_on_it() -> None:
    """With the only other node dead, the host loses the Lun if this one goes."""
    page = node_page(reading(DEAD), "n1", Query())
    assert rows(page, "Targets") == [[T, "10.0.0.1:3260"]]
    assert rows(page, "If it goes") == [[H, "a"]]


def test_a_revision_has_its_changes_and_the_commands_about_it() -> None:
    """They show it, compare with it, and show what undoing it would do."""
    page = revision_page(revisions(7)[0], Query())
    texts = [cell.text for part in page.parts for cell in getattr(part, "items", ())]
    assert texts[:4] == ["by ann@desk at 2026-01-01T00:00:00Z", "change 7", "the revision before", "+ luns/a"]
    assert '    backing.path: + "/srv/a"' in texts or any("/srv/a" in text for text in texts)
    assert [each.line for each in page.commands] == [
        "lunmapctl show 7",
        "lunmapctl diff 7..",
        "lunmapctl revert 7 --dry-run",
    ]


def test_what_is_long_has_several_pages() -> None:
    """The Luns of a host, the hosts of a Lun and the changes of a revision: a hundred a page, with links."""
    many = reading(lunmap=many_luns(250))
    page = host_page(many, H, Query("x", 3))
    assert len(rows(page, "Luns")) == 50
    assert turn(page) == Turn("201 to 250 of 250", f"/hosts/{quote(H, safe='')}?page=2", "")
    changes = {f"luns/{name}": lun for name, lun in many.world.lunmap.luns.items()}
    assert turn(revision_page(revisions(7, changes=changes)[0], Query())).after == "/history/7?page=2"
    hosts = {f"iqn.2026-01.org.example:h{number:03}": Initiator() for number in range(120)}
    group = replace(LUN, maps=(Map(T, 3, group="all"),))
    crowd = replace(MAP, luns={"a": group}, initiators=hosts, groups={"all": Group(tuple(hosts))})
    page = lun_page(reading(lunmap=crowd), "a", Query(page=2))
    assert len(rows(page, "Hosts")) == 20
    assert turn(page).before == "/luns/a"


def turn(page: WebPage | None) -> Turn:
    """Return the links to the other pages of a page."""
    assert page is not None
    (found,) = [part for part in page.parts if isinstance(part, Turn)]
    return found


@pytest.mark.parametrize("name", ["b", "", "A", "../a"])
def test_an_unknown_name_has_no_page(name: str) -> None:
    """Names are whole names: nothing is guessed, and nothing is raised."""
    now = reading()
    assert lun_page(now, name, Query()) is None
    assert host_page(now, name, Query()) is None
    assert node_page(now, name, Query()) is None
    assert pair_page(now, H, name) is None
    assert pair_page(now, name, "a") is None
