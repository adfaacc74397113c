"""The server: which requests get a page, and with which headers."""

from base64 import b64encode
from hashlib import sha256

import pytest

from lunmapd.service.ctl.page.blocks import Query
from lunmapd.service.ctl.page.web import Application, make_application, parse_query
from support.html import parse_html
from support.page_requests import ask, crawl, website
from support.reading import reading
from support.small_map import H


@pytest.fixture
def application() -> Application:
    """Give the application of a cluster that is well."""
    return make_application(website(reading()), {"Board.example"})


def test_each_page_is_reached_by_links(application: Application) -> None:
    """From the first page every page is reached by links alone."""
    seen = crawl(application)
    assert {"/luns/a", f"/hosts/{H}/a".replace(":", "%3A"), "/nodes/n1", "/?every=5"} <= seen


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"])
def test_only_reading_is_allowed(application: Application, method: str) -> None:
    """Any other method is refused with the allowed ones."""
    answer = ask(application, "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_the_headers_only(application: Application) -> None:
    """They are those of GET."""
    full, head = ask(application, "/luns"), ask(application, "/luns", "HEAD")
    assert head.text == ""
    assert (head.status, head.headers) == (200, full.headers)
    assert full.headers["Content-Length"] == str(len(full.text.encode()))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9811", 200),
        ("127.0.0.1", 200),
        ("[::1]:9811", 200),
        ("localhost:9811", 200),
        ("LOCALHOST", 200),
        ("board.example:443", 200),
        ("10.0.0.5:80", 200),
        ("evil.example", 421),
        ("evil.example:9811", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("board.example.evil.example", 421),
        ("[::1", 421),
        ("127.0.0.1:9811:1", 421),
        ("", 421),
    ],
)
def test_a_name_of_others_gets_nothing(application: Application, host: str, status: int) -> None:
    """A page whose name was led to this server (DNS rebinding) can't read it."""
    answer = ask(application, "/", HTTP_HOST=host)
    assert answer.status == status
    assert status == 200 or "Lun" not in answer.text


def test_nothing_but_its_own_style_is_loaded(application: Application) -> None:
    """The policy has the hash of the style in the page, and no script; no other page may frame or read it."""
    for path in ("/", "/nowhere"):
        answer = ask(application, path)
        style = parse_html(answer.text).one("style").text.encode()
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert f"style-src 'sha256-{b64encode(sha256(style).digest()).decode()}'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/x", "/luns/x", "/hosts/x", "/nodes/../..", "/history/0x1", "/luns/a/b", "/\xff"]
)
def test_an_unknown_address_is_not_found(application: Application, path: str) -> None:
    """With a page and its menu."""
    answer = ask(application, path)
    assert (answer.status, "Not found" in answer.text) == (404, True)


@pytest.mark.parametrize("path", ["/history", "/history/3"])
def test_a_history_that_cannot_be_read_is_unavailable(application: Application, path: str) -> None:
    """The history is read when it is asked for; the reason is shown."""
    answer = ask(application, path)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "ZooKeeper could not be read" in answer.text


def test_an_error_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """One that nothing expects is a page without its text, and a line in the log."""
    answer = ask(make_application(website(KeyError("x"))), "/")
    assert (answer.status, "KeyError: &#39;x&#39;: a bug of lunmapd" in answer.text) == (503, True)
    broken = make_application(website(reading()._replace(world=None)))  # type: ignore[arg-type]
    answer = ask(broken, "/luns/a")
    assert (answer.status, answer.text) == (500, "a bug of lunmapd; its log has more\n")
    assert capsys.readouterr().err.startswith("lunmapctl: AttributeError: ")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("q=a+b&page=3&every=5", Query("a b", 3, 5)),
        ("page=0&every=0", Query()),
        ("page=-1&every=x", Query()),
        ("page=9999999", Query(page=1_000_000)),
        ("page=99999999", Query()),
        ("every=99999", Query()),
        ("every=9999", Query(every=3600)),
        ("page=\u0663", Query()),
        ("&".join(["a=1"] * 50), Query()),
        (f"q={'x' * 1000}", Query("x" * 200)),
        ("q=%ff", Query("\ufffd")),
    ],
)
def test_a_query_that_makes_no_sense_is_none(text: str, query: Query) -> None:
    """Numbers are bounded, and so are the text and the number of fields."""
    assert parse_query(text) == query
