"""The paths of znodes, relative to the chroot (docs/znodes.md)."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lunmapd.core.base.permissions.principals import CHUNK_NAMES, FLOATING, MEMBERS, ROLLOUTS
from lunmapd.core.base.sections import SECTION_NAMES

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import GroupId

META = "meta"
HEAD = "head"
REVISIONS = "revisions"
CHECKPOINTS = "checkpoints"
RESTORING = "restoring"
ADDRESSES = "addresses"
IDS = f"{ADDRESSES}/ids"
QUEUE = "queue"

PARENTS = (*SECTION_NAMES, REVISIONS, CHECKPOINTS, ADDRESSES, MEMBERS, ROLLOUTS, QUEUE)
FORMER = ("live", "status")
_LIVE = "live"

_NUMBER = re.compile(r"[0-9]{10}|[1-9][0-9]{10,17}")


def tree_id(cluster: str, incarnation: int) -> str:
    """Return the path of the empty znode that exists only in the tree of this cluster and incarnation.

    Transactions check that it exists. A version would not do: in a tree that was replaced, versions start
    again at 0.
    """
    return f"{META}/{cluster}.{incarnation}"


def revision(number: int) -> str:
    """Return the path of a revision; ten digits, so that a sorted listing is in the order of the commits."""
    return f"{REVISIONS}/{number:010d}"


def checkpoint(number: int) -> str:
    """Return the path of the checkpoint at a revision."""
    return f"{CHECKPOINTS}/{number:010d}"


def chunk(number: int, index: int) -> str:
    """Return the path of one chunk of a checkpoint; four digits, so that a sorted listing is in order."""
    return f"{checkpoint(number)}/{index:04d}"


def address_record(initiator: str) -> str:
    """Return the path of the record of the LUN numbers that an initiator had."""
    return f"{ADDRESSES}/{initiator}"


def rollout_of(incarnation: int, number: int) -> str:
    """Return the path of the znode of the rollout of a revision.

    The incarnation of the tree is in the name: after a restore, revisions have the numbers of earlier ones.
    """
    return f"{ROLLOUTS}/{incarnation}.{number}"


def numbers_in(names: Iterable[str]) -> list[int]:
    """Return the numbers of the revisions or checkpoints among `names`, in order; other names are ignored."""
    return sorted(int(name) for name in names if _NUMBER.fullmatch(name))


def member_of(node: str) -> str:
    """Return the path of the only branch of the tree that a node writes."""
    return f"{MEMBERS}/{node}"


def live_of(node: str) -> str:
    """Return the path of the ephemeral of a node."""
    return f"{member_of(node)}/{_LIVE}"


def status_of(node: str) -> str:
    """Return the path of the status of a node."""
    return f"{member_of(node)}/status"


def backings_of(node: str) -> str:
    """Return the path of the parent of the chunks in which a node reports what it has opened."""
    return f"{member_of(node)}/backings"


def backings_chunk(node: str, name: str) -> str:
    """Return the path of one of these chunks."""
    return f"{backings_of(node)}/{name}"


def owned_by(node: str) -> tuple[str, ...]:
    """Return the paths of the znodes that a node writes and that are there for good, parents first."""
    chunks = (backings_chunk(node, name) for name in CHUNK_NAMES)
    return (member_of(node), status_of(node), backings_of(node), *chunks)


def floating_group(group: "GroupId") -> str:
    """Return the path of a floating portal group; neither name has a space."""
    return f"{FLOATING}/{group.target} {group.name}"


def lease_of(group: "GroupId") -> str:
    """Return the path of the record of a group's lease."""
    return f"{floating_group(group)}/lease"


def wish_of(group: "GroupId") -> str:
    """Return the path of the node that an admin moved a group to."""
    return f"{floating_group(group)}/wish"


def candidates_of(group: "GroupId") -> str:
    """Return the path of the parent of a group's nodes."""
    return f"{floating_group(group)}/candidates"


def candidate_of(group: "GroupId", node: str) -> str:
    """Return the path at which a node reports how well it can own a group; its ephemeral is below."""
    return f"{candidates_of(group)}/{node}"


def presence_of(group: "GroupId", node: str) -> str:
    """Return the path of the ephemeral of a node in a group."""
    return f"{candidate_of(group, node)}/{_LIVE}"


def is_registration(path: str) -> bool:
    """Return whether a node creates the znode as its ephemeral."""
    node = owner(path)
    section, *rest = path.split("/")
    return bool(node) and (path == live_of(node) or (section == FLOATING and rest[3:] == [_LIVE]))


def owner(path: str) -> str:
    """Return the node that owns a path, or the empty string if no node owns it."""
    match path.split("/"):
        case [section, node, *_] if section == MEMBERS:
            return node
        case [section, _, "candidates", node, *_] if section == FLOATING:
            return node
    return ""
