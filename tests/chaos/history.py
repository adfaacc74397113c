"""The records of a run: plain values for the checker. Times are seconds of one monotonic clock."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.history.changes import Change, Head, Revision, as_bytes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.opening import UNDECLARED_SIZE, WRITABLE


class Outcome(StrEnum):
    """The result of an attempt, as the writer got it."""

    COMMITTED = "committed"
    CONFLICT = "conflict"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    REFUSED = "refused"


def shown(item: lio_objects.Object) -> str:
    """Return an object as text, without values that are not kernel state.

    An unmapped Lun may be opened in either mode.
    """
    if not isinstance(item, lio_objects.StorageObject):
        return str(item)
    return str(replace(item, declared=UNDECLARED_SIZE, access=WRITABLE))


class Attempt(Struct, frozen=True):
    """One attempt to commit.

    `token` is the revision's message and unique; `revision` is the one that was acknowledged.

    `effect` is each object as the writer wanted it, as text, None for no such object.
    """

    token: str
    began: float
    ended: float
    outcome: Outcome
    effect: Mapping[str, str | None] = {}
    revision: int = 0
    error: str = ""


class FollowerState(Struct, frozen=True):
    """A follower, in one of its lives, had the whole map in this state."""

    follower: str
    life: int
    at: float
    revision: int
    digest: str


class Overwrite(Struct, frozen=True):
    """An object that was overwritten out of band, at some time between `began` and `ended`."""

    path: str
    data: bytes
    began: float
    ended: float


class FaultRecord(Struct, frozen=True):
    """One fault, from its start until it was healed.

    `settled` is the time at which every follower had the revision that head had then.
    """

    fault: str
    began: float
    healed: float
    settled: float


class Tree(Struct, frozen=True):
    """The tree in ZooKeeper at the end, as a plain client read it.

    `records` are those of the ledger, by initiator.
    """

    head: Head
    revisions: tuple[Revision, ...]
    objects: Mapping[str, bytes]
    records: Mapping[str, bytes] = {}


class History(Struct, frozen=True):
    """The whole record.

    `kernels` has the LIO objects of each follower at the end, each as text. `wiped_at` is the time at which
    the tree was wiped, if it was; `tree` is then the tree before.
    """

    tree: Tree
    attempts: tuple[Attempt, ...] = ()
    follower_states: tuple[FollowerState, ...] = ()
    overwrites: tuple[Overwrite, ...] = ()
    faults: tuple[FaultRecord, ...] = ()
    kernels: Mapping[str, tuple[str, ...]] = {}
    wiped_at: float | None = None


class Violation(Struct, frozen=True):
    """One promise that was not kept, with the revisions, tokens and follower that it concerns."""

    promise: str
    what: str
    revisions: tuple[int, ...] = ()
    tokens: tuple[str, ...] = ()
    follower: str = ""

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


def released(revisions: Iterable[Revision]) -> frozenset[int]:
    """Return the released revisions.

    A part that another part follows was never visible to the nodes.
    """
    parts = {revision.revision: revision.part for revision in revisions}
    return frozenset(
        number for number, part in parts.items() if not part or parts.get(number + 1) != part + 1
    )


def effect_of(changes: Iterable[Change]) -> dict[str, str | None]:
    """Return each object that a delta changes, as text."""
    return {change.path: text(as_bytes(change.after)) for change in changes}


def text(data: bytes | None) -> str | None:
    """Show a document; one that is no text shows what can't be read."""
    return None if data is None else data.decode(errors="backslashreplace")


def records_around(history: History, found: Violation) -> Iterator[Struct]:
    """Yield the records around a violation.

    These are its revisions with their neighbours, its attempts, and the states of its follower.
    """
    near = {number + step for number in found.revisions for step in (-1, 0, 1)}
    revisions = [revision for revision in history.tree.revisions if revision.revision in near]
    tokens = {*found.tokens, *(revision.message for revision in revisions)}
    yield from revisions
    yield from (attempt for attempt in history.attempts if attempt.token in tokens)
    yield from (
        followed
        for followed in history.follower_states
        if followed.follower == found.follower and followed.revision in near
    )
    paths = {change.path for revision in revisions for change in revision.changes}
    yield from (overwrite for overwrite in history.overwrites if overwrite.path in paths)
