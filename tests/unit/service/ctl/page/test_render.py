"""The HTML of pages: what others wrote stays text, readers of every kind can use it, no secret is in it."""

import re
from collections.abc import Iterator
from html import escape
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from lunmapd.client import FleetNode
from lunmapd.core.base.lunmap import Chap, Initiator
from lunmapd.core.base.text import printable
from lunmapd.core.fleet.status import Condition, Failing
from lunmapd.core.node.refused_logins import RefusedLogins
from lunmapd.service.ctl.page.blocks import Cell, Query, WebPage
from lunmapd.service.ctl.page.explained import host_page, lun_page, node_page, pair_page, revision_page
from lunmapd.service.ctl.page.lists import history_page, hosts_page, luns_page
from lunmapd.service.ctl.page.overview import overview
from lunmapd.service.ctl.page.reading import ClusterReading, Latest
from lunmapd.service.ctl.page.render import FILE_POLICY, about, render_file, render_page
from support.forecasts import NOW, status
from support.html import Element, cells, parse_html, table_of
from support.reading import DEAD, WELL, node, reading, revisions
from support.sessions import LIVE
from support.small_map import MAP, H, T

FORGED = "a\"'</td></table><script>alert(1)</script><img src=x onerror=alert(1)>\n\x1b[2J\u202e&amp;"
SEALED = "v1:c2VhbGVk"
ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "nav", "main", "footer", "div"),
    *("h1", "h2", "p", "a", "ul", "li", "dl", "dt", "dd", "span", "strong", "code"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "form", "label", "input", "button"),
}


def pages(now: ClusterReading, query: Query = Query()) -> Iterator[tuple[tuple[str, ...], WebPage]]:  # noqa: B008
    """Yield each kind of page with its address."""
    yield (), overview(now, query)
    yield ("luns",), luns_page(now, query)
    yield ("hosts",), hosts_page(now, query)
    yield ("history",), history_page(now.revisions, 3, query)
    yield ("history", "3"), revision_page(now.revisions[0], query)
    for address, page in (
        (("luns", "a"), lun_page(now, "a", query)),
        (("hosts", H), host_page(now, H, query)),
        (("nodes", "n1"), node_page(now, "n1", query)),
        (("hosts", H, "a"), pair_page(now, H, "a")),
    ):
        assert page is not None
        yield address, page


def documents(now: ClusterReading, query: Query = Query(), error: str = "") -> Iterator[tuple[str, Element]]:  # noqa: B008
    """Yield the HTML of each page, as text and as a tree."""
    for steps, page in pages(now, query):
        text = render_page(page, about(Latest(now, error)), query, steps)
        yield text, parse_html(text)


def forged() -> ClusterReading:
    """Return a reading in which every text that others write is an attack."""
    refused = RefusedLogins(T, FORGED, 1, NOW, FORGED, FORGED, FORGED)
    condition = Condition(FORGED, status=False, reason=FORGED, message=FORGED, since=NOW)
    failing = Failing(FORGED, FORGED, FORGED, "a")
    bad = node(refused=(refused,), conditions=(condition,), failing=(failing,), failing_count=1)
    odd = replace(bad, live=replace(LIVE, since=FORGED), problems=(FORGED,))
    lunmap = replace(MAP, initiators={H: Initiator(alias=FORGED)})
    history = [replace(each, author=FORGED, message=FORGED, time=FORGED) for each in revisions()]
    return reading({"n1": odd, FORGED: odd}, lunmap, history)


def test_no_text_of_others_becomes_markup() -> None:
    """Neither an element nor an attribute is made of it, nor a character that turns or hides a text."""
    for text, document in documents(forged(), Query(FORGED), FORGED):
        assert {element.tag for element in document.all()} <= ALLOWED_TAGS
        names = {name for element in document.all() for name in element.attributes}
        assert not any(name.startswith("on") or name in {"src", "srcdoc"} for name in names)
        assert all(char == "\n" or char.isprintable() for char in text)
        hrefs = [element.attributes["href"] for element in document.all("a")]
        assert all(re.fullmatch(r"(/|#content)[\w/?=&%.+~-]*", href) for href in hrefs), hrefs


def test_an_object_with_any_name_has_its_page() -> None:
    """Such as a node that registered itself with it; its address leads there."""
    now, name = forged(), FORGED
    page = node_page(now, name, Query())
    assert page is not None
    assert (
        parse_html(render_page(page, about(Latest(now)), Query())).one("h1").text == f"Node {printable(name)}"
    )
    ((_, document), *_) = documents(now)
    href = next(each.attributes["href"] for each in document.all("a") if each.text == printable(name))
    assert unquote(href) == f"/nodes/{name}"


def test_the_whole_text_is_shown() -> None:
    """A forged name is visible as it is, with escapes for what can't be seen."""
    ((text, document), *_) = documents(forged())
    shown = printable(FORGED)
    assert escape(shown, quote=False) in text.replace("&#34;", '"').replace("&#39;", "'")
    assert shown in cells(table_of(document, "Nodes and the last revisions"))[2]


def test_no_password_is_shown_not_even_sealed() -> None:
    """Neither that of the map nor that of a revision which set it."""
    secret = Initiator(chap=Chap("user1", SEALED), mutual_chap=Chap("user2", SEALED))
    lunmap = replace(MAP, initiators={H: secret})
    for text, _ in documents(reading(lunmap=lunmap)):
        assert SEALED not in text
    page = revision_page(revisions(changes={f"initiators/{H}": secret})[0], Query())
    text = render_file(page, about(Latest(reading())))
    assert SEALED not in text
    assert "user1" in text
    assert "(secret)" in text


def test_tables_are_made_for_screen_readers() -> None:
    """Each has a caption and headings of columns and rows; the keyboard reaches one that scrolls."""
    for _, document in documents(reading(DEAD)):
        for table in document.all("table"):
            head, *body = table.all("tr")
            assert table.one("caption").text
            assert {cell.attributes["scope"] for cell in head.all("th")} == {"col"}
            assert [[cell.attributes["scope"] for cell in row.all("th")] for row in body] == [["row"]] * len(
                body
            )
            assert {len(list(row.all("th", "td"))) for row in body} == {len(list(head.all("th")))}
        wide = [each for each in document.all("div") if each.attributes["class"] == "wide"]
        assert all(each.attributes["tabindex"] == "0" and each.attributes["aria-label"] for each in wide)
        assert document.one("html").attributes["lang"] == "en"
        assert len(list(document.all("h1"))) == len(list(document.all("main"))) == 1


def test_colour_only_repeats_words() -> None:
    """What is green, yellow or red is a word that states the same."""
    for _, document in documents(reading(DEAD)):
        assert all(each.text.strip() for each in document.all("span"))


def test_each_page_has_a_command_to_copy() -> None:
    """It is whole in one element, so that one click chooses it."""
    for _, document in documents(reading(DEAD)):
        assert any(each.text.startswith("lunmapctl ") for each in document.all("code"))


def test_a_command_reaches_the_cluster_of_the_page() -> None:
    """It begins as the server's own call; only the command can be copied, the words around it are text."""
    refused = RefusedLogins(T, "authentication", 1, NOW, NOW, H, "10.0.0.9")
    now = reading({"n1": node(refused=(refused,)), "n2": FleetNode(None, status())})
    for _, document in documents(now._replace(call="lunmapctl --chroot /lab")):
        lines = [each.text for each in document.all("code")]
        assert all(line.startswith(("lunmapctl --chroot /lab ", "systemctl ", "iscsiadm ")) for line in lines)
    home, *_ = (document for _, document in documents(now))
    (helps,) = (row[4] for row in cells(table_of(home, "Refused logins of the last minutes"))[1:])
    assert helps == f"lunmapctl secret set {H} --user USER, and the same password on the host"


def test_who_comes_before_the_first_reading_gets_it_without_asking_again() -> None:
    """The browser loads a page again that has nothing to show yet."""
    text = render_page(WebPage("No answer", Cell("s")), about(Latest(None, "no server answers")), Query())
    metas = [each.attributes for each in parse_html(text).all("meta")]
    assert {"http-equiv": "refresh", "content": "5"} in metas


@pytest.mark.parametrize("every", [0, 7])
def test_a_page_loads_itself_again_only_if_asked(every: int) -> None:
    """The links keep that; one of them begins or ends it, on the same page."""
    query = Query("a", 1, every)
    for (steps, page), (_, document) in zip(
        pages(reading(), query), documents(reading(), query), strict=True
    ):
        metas = [each.attributes for each in document.all("meta")]
        found = [meta["content"] for meta in metas if meta.get("http-equiv") == "refresh"]
        assert found == ([str(every)] if every else [])
        links = {each.text: each.attributes["href"] for each in document.all("a")}
        assert ("every=7" in links["Luns"]) is bool(every)
        here = query._replace(every=0 if every else 5).link(*steps, text="a")
        assert links["Stop reloading every 7 s" if every else "Reload every 5 s"] == here
        assert page.title == document.one("h1").text


def test_an_old_page_states_its_age() -> None:
    """With the reason why there is no newer one, before anything else."""
    for text, document in documents(reading(), error="No server answers"):
        stale, *_ = (each for each in document.all("p"))
        assert stale.attributes == {"class": "stale", "role": "alert"}
        assert "No server answers." in stale.text
        assert re.search(r"This is the state of 2026-01-01T00:00:00Z, \d+d\d\dh ago\.", text)


def test_a_file_has_no_links_and_its_own_policy() -> None:
    """It is whole by itself: what it shows needs no server, and nothing else is loaded."""
    text = render_file(overview(reading(WELL), most=None), about(Latest(reading())))
    document = parse_html(text)
    assert list(document.all("a", "form")) == []
    metas = [each.attributes for each in document.all("meta")]
    assert {"http-equiv": "Content-Security-Policy", "content": FILE_POLICY} in metas
    assert "a" in [row[0] for row in cells(table_of(document, "Luns"))]


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_has_enough_contrast() -> None:
    """4.5 to 1 on the ground and on the panels (WCAG 2.2, 1.4.3), with light and with dark colours."""
    text = render_page(WebPage("t", Cell("s")), about(Latest(reading())), Query())
    style = parse_html(text).one("style").text
    blocks = re.findall(r":root \{([^}]*--ground[^}]*)\}", style)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for name in ("text", "quiet", "link", "good", "warn", "bad"):
            for ground in ("ground", "panel"):
                assert _contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
