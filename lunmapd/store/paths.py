"""The tree below the chroot; every path here is relative to it (docs/znodes.md)."""

from lunmapd.core.lunmap import SECTIONS

META = "meta"
HEAD = "head"
REVISIONS = "revisions"
LIVE = "live"
STATUS = "status"

PARENTS = (*SECTIONS, REVISIONS, LIVE, STATUS)


def revision(number: int) -> str:
    """Path of a revision; ten digits, so that a sorted listing is in the order of the commits."""
    return f"{REVISIONS}/{number:010d}"


def live(node: str) -> str:
    """Path of the ephemeral of a node."""
    return f"{LIVE}/{node}"


def status(node: str) -> str:
    """Path of the status of a node."""
    return f"{STATUS}/{node}"
