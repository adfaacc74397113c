"""The promotion of storage that admits one writer: what a hook is asked for, and what it answers."""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core.node.failure import Failure


class Promotion(StrEnum):
    """How far the storage of a group's Luns is on a node.

    `UNKNOWN`: the hook has not answered, or has failed, so the storage may be promoted.
    """

    UNKNOWN = "unknown"
    DEMOTED = "demoted"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    DEMOTING = "demoting"


IN_BETWEEN = frozenset({Promotion.PROMOTING, Promotion.DEMOTING})
"""The hook is at work."""


class HookCall(Struct, frozen=True):
    """The hook of a group at a node.

    `name` is that of the program in the directory of hooks. `luns` are the names of the Luns, each with the
    path of its device on this node.
    """

    name: str
    target: str
    group: str
    node: str
    luns: tuple[tuple[str, str], ...]


class HookAction(StrEnum):
    """The first argument of a hook."""

    STATUS = "status"
    PROMOTE = "promote"
    DEMOTE = "demote"


class HookResult(Struct, frozen=True):
    """How a hook ended: its exit status, None if it was killed or could not be run, and a message."""

    status: int | None
    message: str = ""


class HookReport(Struct, frozen=True):
    """How far the storage of a group is; `problem` keeps this node from serving the group."""

    promotion: Promotion = Promotion.UNKNOWN
    problem: Failure | None = None
