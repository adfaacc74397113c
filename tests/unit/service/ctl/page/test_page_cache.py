"""Each page of a reading is made once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lunmapd.service.ctl.page.blocks import Cell, Query, WebPage
from lunmapd.service.ctl.page.page_cache import PageCache
from support.reading import reading

HERE = (("luns",), Query())


def test_readers_at_the_same_time_get_one_page() -> None:
    """Made once, also if the answer is that there is none; a new reading has pages of its own."""
    cache, made, now = PageCache(), list[WebPage | None](), reading()

    def make() -> WebPage:
        made.append(WebPage("t", Cell(str(len(made)))))
        return WebPage("t", Cell("s"))

    with ThreadPoolExecutor(8) as readers:
        assert len({id(page) for page in readers.map(lambda _: cache.get(now, HERE, make), range(50))}) == 1
    assert len(made) == 1
    assert [cache.get(now, ((), Query()), lambda: made.append(None)) for _ in range(2)] == [None, None]
    assert len(made) == 2
    cache.get(reading(), HERE, make)
    assert len(made) == 3


def test_a_page_that_failed_is_tried_again() -> None:
    """The error is that of the reader who asked."""
    cache, now, page = PageCache(), reading(), WebPage("t", Cell("s"))
    with pytest.raises(ZeroDivisionError):
        cache.get(now, HERE, lambda: page if 1 // 0 else None)
    assert cache.get(now, HERE, lambda: page) is page


def test_the_number_of_pages_is_bounded() -> None:
    """Any number of searches needs no more memory: all pages are forgotten when there are too many."""
    cache, now, made = PageCache(most=2), reading(), list[int]()
    for number in (0, 1, 0, 2, 0):
        cache.get(now, ((), Query(page=number)), lambda number=number: made.append(number))  # type: ignore[misc]
    assert made == [0, 1, 2, 0]
