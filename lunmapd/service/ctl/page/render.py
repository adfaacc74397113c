"""HTML of pages, by a template that escapes every text. The policy allows its style, and no script at all."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lunmapd import __version__
from lunmapd.clock import rfc3339
from lunmapd.core.base.text import printable
from lunmapd.service.ctl.page.blocks import Query, WebPage
from lunmapd.service.ctl.page.reading import Latest
from lunmapd.service.ctl.text.node_lines import show_seconds

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text()
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

FILE_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'"
"""The Content-Security-Policy of a file: its style, and an empty icon."""

SITE_POLICY = f"{FILE_POLICY}; form-action 'self'; frame-ancestors 'none'"
"""That of a server: the form of a filter too, and no page of others may frame it."""

_MENU = (("Overview", ()), ("Luns", ("luns",)), ("Hosts", ("hosts",)), ("History", ("history",)))
_EVERY = 5


class About(NamedTuple):
    """From where and when the content of a page is; `error` is a sentence why there is nothing newer.

    `call` are the words that begin a command about this cluster.
    """

    cluster: str = ""
    revision: int = 0
    chroot: str = ""
    at: str = ""
    age: str = ""
    error: str = ""
    call: str = "lunmapctl"


def about(latest: Latest) -> About:
    """Return from where and when a reading is, with its age."""
    reading = latest.reading
    if reading is None:
        return About(error=latest.error)
    age = show_seconds(max((datetime.now(UTC) - reading.at).total_seconds(), 0.0))
    status = reading.status
    at = rfc3339(reading.at)
    return About(status.cluster, status.revision, reading.chroot, at, age, latest.error, reading.call)


def render_page(page: WebPage, origin: About, query: Query, steps: Sequence[str] = ()) -> str:
    """Return the page of the server at an address, whose parts between slashes are `steps`, as HTML."""
    menu = [(name, query.link(*steps)) for name, steps in _MENU]
    switch = query._replace(every=0 if query.every else _EVERY)
    here = switch.link(*steps, text=query.text, page=query.page)
    name = f"Stop reloading every {query.every} s" if query.every else f"Reload every {_EVERY} s"
    # A reader who came before the first reading gets it without asking again.
    every = query.every if origin.at else query.every or _EVERY
    return _render(page, origin, linked=True, every=every, menu=[*menu, (name, here)])


def render_file(page: WebPage, origin: About) -> str:
    """Return a page as HTML for a file: it has no links."""
    return _render(page, origin, linked=False, every=0, menu=[])


def _render(page: WebPage, origin: About, **values: object) -> str:
    return _TEMPLATE.render(
        page=page,
        about=origin,
        style=Markup(_STYLE),  # noqa: S704 - a file of ours
        policy=FILE_POLICY,
        version=__version__,
        **values,
    )


def _shown(value: object) -> object:
    """Return the text of a value; no character of it controls a terminal or the direction of the text."""
    return value if isinstance(value, Markup) else printable(str(value))


_TEMPLATE = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("page.html")
