"""The pages of one reading, each made once for any number of readers."""

import threading
from collections.abc import Callable

from lunmapd.service.ctl.page.blocks import Query, WebPage
from lunmapd.service.ctl.page.reading import ClusterReading

_MOST = 200

_Address = tuple[tuple[str, ...], Query]
_MakePage = Callable[[], WebPage | None]


class _Slot:
    """A page that one thread makes while others wait for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_made = False
        self.page: WebPage | None = None


class PageCache:
    """Keeps the pages of the newest reading, at most `most` of them. Several threads may use it.

    A page about 10,000 Luns takes seconds, and twenty screens may show the same one.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Start without a page."""
        self._most = most
        self._lock = threading.Lock()
        self._reading: ClusterReading | None = None
        self._slots: dict[_Address, _Slot] = {}

    def get(self, reading: ClusterReading, address: _Address, make: _MakePage) -> WebPage | None:
        """Return the page at an address, made by `make` if this reading has none yet.

        None if there is no such page. Raises what `make` raises; the next reader then tries again.
        """
        slot = self._slot(reading, address)
        with slot.lock:
            if not slot.is_made:
                slot.page, slot.is_made = make(), True
            return slot.page

    def _slot(self, reading: ClusterReading, address: _Address) -> _Slot:
        with self._lock:
            is_full = address not in self._slots and len(self._slots) >= self._most
            if reading is not self._reading or is_full:
                self._reading, self._slots = reading, {}
            return self._slots.setdefault(address, _Slot())
