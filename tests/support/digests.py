"""The digest of a map, computed from the map alone."""

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.digest import digest_documents


def map_digest(lunmap: Lunmap) -> int:
    """Return the digest of a whole map."""
    return digest_documents(
        (f"{section}/{name}", encode(document)) for section, name, document in lunmap.documents()
    )
