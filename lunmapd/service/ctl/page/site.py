"""Which page an address stands for."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import NamedTuple

from lunmapd.client import Client, HistoryTrimmedError, LunmapdError, NoSuchRevisionError
from lunmapd.service.ctl.page.blocks import Cell, Mood, Query, WebPage
from lunmapd.service.ctl.page.explained import host_page, lun_page, node_page, pair_page, revision_page
from lunmapd.service.ctl.page.lists import history_page, hosts_page, luns_page
from lunmapd.service.ctl.page.overview import overview
from lunmapd.service.ctl.page.page_cache import PageCache
from lunmapd.service.ctl.page.reading import ClusterReading, Latest, Readings, unreadable
from lunmapd.service.ctl.page.render import About, about

_REVISIONS = 50
_MAX_DIGITS = 9


class PageAnswer(NamedTuple):
    """A page with its status, and from when its content is."""

    status: HTTPStatus
    page: WebPage
    origin: About


class Website:
    """The pages of one cluster. Several threads may use it."""

    def __init__(self, readings: Readings, client: Client) -> None:
        """Show these readings; the client reads the history."""
        self._readings, self._client = readings, client
        self._cache = PageCache()

    def answer(self, steps: Sequence[str], query: Query) -> PageAnswer:
        """Return the page at an address, whose parts between slashes are `steps`."""
        latest = self._readings.latest()
        reading = latest.reading
        if reading is None:
            return _unavailable(latest)
        try:
            page = self._cache.get(reading, (tuple(steps), query), lambda: self._make(reading, steps, query))
        except (NoSuchRevisionError, HistoryTrimmedError) as error:
            return PageAnswer(HTTPStatus.NOT_FOUND, _missing(str(error)), about(latest))
        except LunmapdError as error:
            return _unavailable(Latest(error=unreadable(error)))
        if page is None:
            missing = _missing("There is no such page or object.")
            return PageAnswer(HTTPStatus.NOT_FOUND, missing, about(latest))
        status = HTTPStatus.SERVICE_UNAVAILABLE if latest.error else HTTPStatus.OK
        return PageAnswer(status, page, about(latest))

    def _make(self, reading: ClusterReading, steps: Sequence[str], query: Query) -> WebPage | None:
        match steps:
            case ["history"]:
                return self._history(query)
            case ["history", number] if number.isdecimal() and len(number) <= _MAX_DIGITS:
                return revision_page(self._client.revision(int(number)), query)
            case _:
                return page_of(reading, steps, query)

    def _history(self, query: Query) -> WebPage:
        newest = self._client.newest()
        first = newest - (query.page - 1) * _REVISIONS
        revisions = list(islice(self._client.log(before=first + 1), _REVISIONS)) if first > 0 else []
        return history_page(revisions, newest, query)


def page_of(reading: ClusterReading, steps: Sequence[str], query: Query) -> WebPage | None:
    """Return the page of a reading at an address; None if there is none."""
    if whole := _WHOLE.get(tuple(steps)):
        return whole(reading, query)
    match steps:
        case [section, name] if section in _OBJECTS:
            return _OBJECTS[section](reading, name, query)
        case ["hosts", iqn, lun]:
            return pair_page(reading, iqn, lun)
        case _:
            return None


_WHOLE: Mapping[tuple[str, ...], Callable[[ClusterReading, Query], WebPage]] = {
    (): overview,
    ("luns",): luns_page,
    ("hosts",): hosts_page,
}
_OBJECTS = {"luns": lun_page, "hosts": host_page, "nodes": node_page}


def _missing(sentence: str) -> WebPage:
    return WebPage("Not found", Cell(sentence, mood=Mood.WARN))


def _unavailable(latest: Latest) -> PageAnswer:
    page = WebPage("No answer", Cell("There is nothing to show yet.", mood=Mood.BAD))
    return PageAnswer(HTTPStatus.SERVICE_UNAVAILABLE, page, about(latest))
