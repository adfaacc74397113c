"""What one znode may hold; a larger one would make ZooKeeper drop the connection."""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError

MAX_DOCUMENT = 256 * 1024


class TooLargeError(StoreError):
    """More than ZooKeeper takes at once. `size` and `limit` in `unit`."""

    exit_code = Exit.INVALID

    def __init__(self, what: str, size: int, limit: int, unit: str) -> None:
        self.size, self.limit = size, limit
        super().__init__(f"{what} has {size} {unit}, the limit is {limit}: divide it; nothing was written")


def check_document(path: str, data: bytes) -> None:
    """Refuse a document that is too large. Raises TooLargeError."""
    if len(data) > MAX_DOCUMENT:
        raise TooLargeError(path, len(data), MAX_DOCUMENT, "bytes")
