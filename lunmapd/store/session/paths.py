"""The tree below the chroot; every path here is relative to it (docs/znodes.md)."""

import re
from collections.abc import Iterable

from lunmapd.core.base.access import MEMBERS
from lunmapd.core.base.lunmap import SECTIONS

META = "meta"
HEAD = "head"
REVISIONS = "revisions"
CHECKPOINTS = "checkpoints"
RESTORING = "restoring"

PARENTS = (*SECTIONS, REVISIONS, CHECKPOINTS, MEMBERS)
FORMER = ("live", "status")

_NUMBER = re.compile(r"[0-9]{10}|[1-9][0-9]{10,17}")


def tree_id(cluster: str, incarnation: int) -> str:
    """Path of the empty znode that exists in the tree of this cluster and incarnation only, for transactions to check.

    A version would not do: in a tree that was made anew, versions start again.
    """
    return f"{META}/{cluster}.{incarnation}"


def revision(number: int) -> str:
    """Path of a revision; ten digits, so that a sorted listing is in the order of the commits."""
    return f"{REVISIONS}/{number:010d}"


def checkpoint(number: int) -> str:
    """Path of the checkpoint at a revision."""
    return f"{CHECKPOINTS}/{number:010d}"


def chunk(number: int, index: int) -> str:
    """Path of one chunk of a checkpoint; four digits, so that a sorted listing is in order."""
    return f"{checkpoint(number)}/{index:04d}"


def numbers_in(names: Iterable[str]) -> list[int]:
    """Return the numbers of revisions or checkpoints that are named as they are here, in order; other names are passed over."""
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def member_of(node: str) -> str:
    """Path of the only part of the tree that a node writes."""
    return f"{MEMBERS}/{node}"


def live_of(node: str) -> str:
    """Path of the ephemeral of a node."""
    return f"{member_of(node)}/live"


def status_of(node: str) -> str:
    """Path of the status of a node."""
    return f"{member_of(node)}/status"


def owner(path: str) -> str:
    """Return the node to which a path belongs; empty when it is no node's own."""
    section, _, below = path.partition("/")
    return below.partition("/")[0] if section == MEMBERS else ""
