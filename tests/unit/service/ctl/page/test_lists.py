"""Lists of thousands: pages and a filter, both in the query string."""

from lunmapd.service.ctl.page.blocks import PageTable, Query, Turn, WebPage
from lunmapd.service.ctl.page.lists import history_page, hosts_page, luns_page
from support.reading import DEAD, many_luns, reading, revisions
from support.small_map import H

MANY = reading(lunmap=many_luns(10_000))


def parts(page: WebPage) -> tuple[list[list[str]], Turn]:
    """Return the texts of the only table of a page, and its place within the list."""
    listing, turn = page.parts
    assert isinstance(listing, PageTable)
    assert isinstance(turn, Turn)
    return [[cell.text for cell in row] for row in listing.rows], turn


def test_ten_thousand_luns_are_pages() -> None:
    """A page has a hundred, with links to its neighbours; a page behind the last one is the last one."""
    rows, turn = parts(luns_page(MANY, Query(page=2)))
    assert [rows[0][0], rows[-1][0]] == ["l00100", "l00199"]
    assert turn == ("101 to 200 of 10,000", "/luns", "/luns?page=3")
    rows, turn = parts(luns_page(MANY, Query(page=1_000_000)))
    assert (rows[-1][0], turn.before, turn.after) == ("l09999", "/luns?page=99", "")


def test_a_filter_finds_a_text_in_any_column() -> None:
    """Such as a part of a name or of a WWID, in upper or lower case; links keep it."""
    rows, turn = parts(luns_page(MANY, Query("L0123")))
    assert len(rows) == 10
    assert turn.text == "10 with 'L0123'"
    _, turn = parts(luns_page(MANY, Query("n1 ok", 3, 5)))
    assert turn.after == "/luns?q=n1+ok&page=4&every=5"
    (row,), _ = parts(luns_page(MANY, Query(f"36001405{9_999:025x}")))
    assert row[0] == "l09999"
    _, turn = parts(luns_page(MANY, Query(H)))
    assert turn.text == f"1 to 100 of 10,000 with '{H}'"
    rows, turn = parts(luns_page(MANY, Query("no such Lun")))
    assert (rows, turn.text) == ([], "0 with 'no such Lun'")


def test_a_lun_has_size_wwid_paths_and_hosts() -> None:
    """In one line, with a link to its own page."""
    page = luns_page(reading(DEAD), Query())
    rows, _ = parts(page)
    assert rows == [["a", "1 MiB", f"36001405{'1' * 25}", "1/2", "n1 ok, n2 DEAD", "1/1 logged in"]]
    assert isinstance(page.parts[0], PageTable)
    assert page.parts[0].rows[0][0].link == "/luns/a"


def test_a_host_has_its_logins() -> None:
    """Under its whole name, by which its page is found."""
    rows, _ = parts(hosts_page(reading(), Query()))
    assert rows == [[H, "-", "1", "n1,n2", "-"]]


def test_the_history_has_pages_too() -> None:
    """Each revision has a link; the last page has none to an older one."""
    rows, turn = parts(history_page(revisions(120, 50), 120, Query()))
    assert (rows[0][0], rows[-1][0]) == ("120", "71")
    assert (turn.before, turn.after) == ("", "/history?page=2")
    _, turn = parts(history_page(revisions(20, 50), 120, Query(page=3)))
    assert (turn.before, turn.after) == ("/history?page=2", "")
    rows, turn = parts(history_page((), 120, Query(page=9)))
    assert (rows, turn.after) == ([], "")
