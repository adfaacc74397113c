"""Requests to the pages of `lunmapctl serve`, without a server."""

from typing import Any, NamedTuple
from urllib.parse import unquote

from lunmapd.client import Client, Session
from lunmapd.service.ctl.page.reading import ClusterReading, Readings
from lunmapd.service.ctl.page.site import Website
from lunmapd.service.ctl.page.web import Application
from support.html import parse_html

NOWHERE = "127.0.0.1:1"


class Response(NamedTuple):
    """What a browser gets."""

    status: int
    headers: dict[str, str]
    text: str


def ask(application: Application, path: str, method: str = "GET", **environ: str) -> Response:
    """Ask as a WSGI server does."""
    given: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:9811"}
    found: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        found.update(status=int(status[:3]), headers=dict(headers))

    body = b"".join(application({**given, **environ}, start))
    return Response(found["status"], found["headers"], body.decode())


def website(read: ClusterReading | Exception) -> Website:
    """Return a website that shows this reading, or fails so; its client has no server."""

    def result(_: ClusterReading | None) -> ClusterReading:
        if isinstance(read, Exception):
            raise read
        return read

    return Website(Readings(result), Client(Session(NOWHERE, deadline=0.1)))


def crawl(application: Application) -> set[str]:
    """Follow all links from the first page, but those of the history; each must lead to a page."""
    seen, left = set[str](), ["/"]
    while left:
        address = left.pop()
        path, _, query = address.partition("?")
        if address in seen or path.startswith("/history"):
            continue
        seen.add(address)
        answer = ask(application, unquote(path), QUERY_STRING=query)
        assert answer.status == 200, address
        hrefs = (each.attributes["href"] for each in parse_html(answer.text).all("a"))
        left += [href for href in hrefs if href.startswith("/")]
    return seen
