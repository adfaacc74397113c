"""The WSGI application (PEP 3333): it reads and never writes, for names and methods that are allowed."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl

from lunmapd.service.ctl.page.blocks import Query
from lunmapd.service.ctl.page.render import SITE_POLICY, render_page
from lunmapd.service.ctl.page.site import Website
from lunmapd.service.output import echo

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[Mapping[str, Any], StartResponse], Iterable[bytes]]

_MAX_TEXT = 200
_MAX_PAGE = 1_000_000
_MAX_EVERY = 3600
_MAX_FIELDS = 20
_RETRY = 5
_SAFE = (
    ("Content-Security-Policy", SITE_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


def make_application(site: Website, names: AbstractSet[str] = frozenset()) -> Application:
    """Return the application of a site; browsers may ask by an address, by `localhost` and by these names.

    A page of others whose own name leads to this server (DNS rebinding) sends that name, and gets nothing.
    """
    allowed = {"localhost", *(name.lower() for name in names)}

    def application(environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, kind, body, more = _answer(site, allowed, environ)
        headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", [*headers, *_SAFE, *more])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


_Response = tuple[HTTPStatus, str, bytes, list[tuple[str, str]]]


def _answer(site: Website, names: AbstractSet[str], environ: Mapping[str, Any]) -> _Response:
    if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
        refused = _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "this server only reads")
        return *refused[:3], [("Allow", "GET, HEAD")]
    if not _is_allowed(environ.get("HTTP_HOST", ""), names):
        sentence = "this name is not allowed: use the address, or start with --name"
        return _refusal(HTTPStatus.MISDIRECTED_REQUEST, sentence)
    try:
        return _page(site, environ)
    except Exception as error:  # noqa: BLE001 - the server goes on; the reader and the log get a sentence
        sentence = f"{type(error).__name__}: {error}: a bug of lunmapd; please report it"
        echo(f"lunmapctl: {sentence}", err=True)
        return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "a bug of lunmapd; its log has more")


def _refusal(status: HTTPStatus, sentence: str) -> _Response:
    return status, "text/plain", f"{sentence}\n".encode(), []


def _page(site: Website, environ: Mapping[str, Any]) -> _Response:
    # WSGI hands over the bytes of the path as Latin-1 (PEP 3333).
    path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")
    query = parse_query(str(environ.get("QUERY_STRING", "")))
    steps = [step for step in path.split("/") if step]
    answer = site.answer(steps, query)
    more = [("Retry-After", str(_RETRY))] if answer.status is HTTPStatus.SERVICE_UNAVAILABLE else []
    return answer.status, "text/html", render_page(answer.page, answer.origin, query, steps).encode(), more


def parse_query(text: str) -> Query:
    """Return what a query string chooses; a value that makes no sense counts as none."""
    try:
        values = dict(parse_qsl(text, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return Query()
    page = _number(values.get("page", ""), _MAX_PAGE) or 1
    return Query(values.get("q", "")[:_MAX_TEXT], page, _number(values.get("every", ""), _MAX_EVERY))


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return 0
    return min(int(text), most)


def _is_allowed(host: str, names: AbstractSet[str]) -> bool:
    """Return whether a Host header has an address or one of the names, with any port (RFC 9112, 3.2)."""
    name = host.lower()
    if not name.endswith("]"):
        before, colon, port = name.rpartition(":")
        name = before if colon and (port.isdecimal() or not port) else name
    if name in names:
        return True
    try:
        return bool(ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name))
    except ValueError:
        return False
