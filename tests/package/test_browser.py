"""The page in a real browser, and the pictures of it in docs/pictures."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from msgspec.structs import replace

from lab.wait import PATIENCE
from lunmapd.client import Client, Session
from lunmapd.core.base.lunmap import Initiator
from lunmapd.service.ctl.page.reading import ClusterReading, Readings
from lunmapd.service.ctl.page.site import Website
from lunmapd.service.ctl.page.web import StartResponse, make_application
from support.browser import Browser, corner
from support.html import cells, parse_html, table_of
from support.page_pictures import PAGE_PICTURES, PagePicture, stamp
from support.reading import example, reading
from support.small_map import MAP, H

PICTURES = Path(os.environ.get("LUNMAPD_PICTURES", "build/pictures"))
FORGED = "<script>document.title = 'forged'</script><img src=x onerror=\"document.title = 'forged'\">"


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the library
        """Do nothing."""


@contextmanager
def served(shown: ClusterReading, asked: Callable[[str], object] = str) -> Iterator[str]:
    """Serve a reading on loopback and give the URL; `asked` is called with the path of each request."""
    website = Website(Readings(lambda _: shown), Client(Session("127.0.0.1:1", deadline=0.1)))
    inner = make_application(website)

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        asked(environ["PATH_INFO"])
        return inner(environ, start_response)

    with make_server("127.0.0.1", 0, application, handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    """Give a browser that has seen nothing yet."""
    return Browser(tmp_path / "profile")


def test_a_browser_shows_the_page_and_has_no_complaint(browser: Browser) -> None:
    """What the policy allows is enough for the page: its document is whole, and its style is used."""
    with served(example()) as url:
        shown = browser.show(url)
        assert shown.complaints == []
        document = parse_html(shown.document)
        assert "n2 is dead; n3 is degraded" in document.text
        assert [row[0] for row in cells(table_of(document, "Nodes and the last revisions"))[1:]] == [
            "n1",
            "n2",
            "n3",
        ]
        PICTURES.mkdir(parents=True, exist_ok=True)
        browser.print(url, PICTURES / "page.pdf")
    assert (PICTURES / "page.pdf").read_bytes().startswith(b"%PDF")


def test_a_text_of_others_runs_nothing(browser: Browser) -> None:
    """A forged alias is text; no request is made for what it names."""
    asked: list[str] = []
    with served(reading(lunmap=replace(MAP, initiators={H: Initiator(alias=FORGED)})), asked.append) as url:
        shown = browser.show(f"{url}hosts/{H}")
    document = parse_html(shown.document)
    assert document.one("title").text.startswith("Host ")
    assert FORGED in document.text
    assert asked == [f"/hosts/{H}"]


def test_a_page_is_loaded_again_if_asked(browser: Browser) -> None:
    """By the browser itself, without a script."""
    asked = SimpleQueue[str]()
    with served(example(), asked.put) as url, browser.open(f"{url}luns?every=1"):
        assert [asked.get(timeout=PATIENCE) for _ in range(3)] == ["/luns"] * 3


@pytest.mark.parametrize("picture", PAGE_PICTURES, ids=lambda picture: picture.name)
def test_pictures_have_the_colours_that_the_reader_prefers(browser: Browser, picture: PagePicture) -> None:
    """Light or dark, by the style of the page; `make page-pictures` puts them into docs/pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{picture.name}.png"
    with served(example()) as url:
        browser.picture(f"{url}{'/'.join(picture.steps)}", path, picture.size, dark=picture.is_dark)
    assert corner(path) == picture.ground
    stamp(path, picture.digest())
    assert corner(path) == picture.ground
