"""What a program hands to an operation that commits: the metadata, and the map."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.history.changes import Change
    from lunmapd.store.commit.staged import StagedCommit
    from lunmapd.store.tree.snapshot import Snapshot


class Prefer(StrEnum):
    """The value that a field gets if a file and another commit changed it differently."""

    MINE = "mine"
    THEIRS = "theirs"


class Note(Struct, frozen=True):
    """The metadata of a commit: `message` and `author` are shown in the log.

    Without an author it is `user@host`. With `expect` the commit is made only if the map is at that revision.
    The Luns named in `shrink` may get smaller, which cuts off the data at their ends. Those named in
    `rebacking` may change the path or configuration that they have on any node, although they are mapped; the
    data there are not compared. Those named in `reuse_luns` may take LUN numbers that led a host to another
    Lun, whose device the host may still have, and nodes may map them for an hour. The nodes named in
    `reuse_ids` may take port ids and TPG tags that another one had.

    With `first` or `confirm_within` the commit starts a rollout: only the nodes named in `first` follow the
    revision until `continue_rollout`, and a node undoes it unless it is confirmed within `confirm_within`
    seconds. With `confirm_removals` the removals of such a revision are confirmed by the commit.
    """

    message: str = ""
    author: str = ""
    expect: int | None = None
    shrink: tuple[str, ...] = ()
    rebacking: tuple[str, ...] = ()
    reuse_luns: tuple[str, ...] = ()
    reuse_ids: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    confirm_within: int = 0
    confirm_removals: bool = False


NOTE = Note()


class Proposal(Struct, frozen=True):
    """A map to commit.

    `before` is the current map, `after` the desired one with all serials and port ids, `changes` are those
    between the two. `new_serials` are the serials that were chosen for `after`, `resumes` is the large commit
    that stopped half-way and is to be resumed; None for a commit of its own.
    """

    before: Snapshot
    after: Lunmap
    changes: tuple[Change, ...]
    new_serials: frozenset[str] = frozenset()
    resumes: StagedCommit | None = None
