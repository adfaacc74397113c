"""The limits on the size of one document, and on the length of the history.

ZooKeeper drops the connection of a client that sends more than jute.maxbuffer (1 MiB by default).
"""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError

MAX_DOCUMENT = 256 * 1024
KEEP = 1000
"""The number of revisions that a trim keeps by default."""


class TooLargeError(StoreError):
    """More than one request to ZooKeeper may hold. `size` and `limit` are counted in `unit`."""

    exit_code = Exit.INVALID

    def __init__(self, what: str, size: int, limit: int, unit: str) -> None:
        self.size, self.limit = size, limit
        super().__init__(f"{what} has {size} {unit}, the limit is {limit}: divide it; nothing was written")


def check_document(path: str, data: bytes) -> None:
    """Check the size of a document, in bytes. Raises TooLargeError."""
    if len(data) > MAX_DOCUMENT:
        raise TooLargeError(path, len(data), MAX_DOCUMENT, "bytes")
