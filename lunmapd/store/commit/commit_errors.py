"""Why a commit was not made, or can't be told to have been made; each says what to do next."""

from collections.abc import Sequence

from msgspec import Struct

from lunmapd.core.base.errors import Exit, Problem
from lunmapd.core.history.changes import Staged
from lunmapd.store.session.errors import StoreError

_MAX_NAMED = 10


class OutcomeUnknownError(StoreError):
    """A commit was sent and neither confirmed nor found again: ZooKeeper may or may not have it."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, revision: int) -> None:
        self.revision = revision
        super().__init__(
            f"the connection to ZooKeeper at {hosts} was lost in the middle of the commit: it's unknown whether revision {revision} "
            "was committed; look at 'lunmapctl log' before you repeat it"
        )


class Clash(Struct, frozen=True):
    """An object that somebody else changed meanwhile: in which fields, and by whom in which revision.

    An object that was changed around the tools has no author and revision 0.
    """

    path: str
    fields: tuple[str, ...]
    author: str
    revision: int

    def __str__(self) -> str:
        what = f"{self.path} ({', '.join(self.fields)})" if self.fields else self.path
        who = f"by {self.author} in revision {self.revision}" if self.revision else "around the tools"
        return f"{what} was changed {who}"


class ConflictError(StoreError):
    """Somebody else committed meanwhile, up to `revision`, and both changes can't be.

    `clashes` are the objects that both changed; without any, `problems` are the rules that the map with both breaks.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, revision: int, clashes: Sequence[Clash], problems: Sequence[Problem] = ()) -> None:
        self.revision, self.clashes, self.problems = revision, tuple(clashes), tuple(problems)
        reasons = [str(reason) for reason in (*clashes, *problems)]
        super().__init__(
            f"nothing was committed, since others were faster (revision {revision}): {some(reasons)}; "
            "look at the map and try again"
        )


class UnexpectedRevisionError(StoreError):
    """The commit was meant for the revision `expected` only, and the map is at `found`."""

    exit_code = Exit.CONFLICT

    def __init__(self, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"nothing was committed: the map is at revision {found}, expected was {expected}; "
            f"see 'lunmapctl diff {expected}..' and try again"
        )


class BusyError(StoreError):
    """Other writers were faster each time."""

    exit_code = Exit.CONFLICT

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"nothing was committed: other writers were faster {attempts} times in a row; try again"
        )


class StagedError(StoreError):
    """Somebody's large commit is under way, or was left behind, so that no other commit can be made."""

    exit_code = Exit.CONFLICT

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        why = f" ({staged.message!r})" if staged.message else ""
        super().__init__(
            f"nothing was committed: a large commit by {staged.author}{why} is under way, its last part is revision "
            f"{staged.revision} of {staged.time}; wait for it; if it was left behind, go on with it (the same command "
            "with --resume) or undo it ('lunmapctl import undo')"
        )


class TakenOverError(StoreError):
    """Another client went on with the large commit that this one was making, or undid it."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "another client went on with this large commit, or undid it; see 'lunmapctl log' and 'lunmapctl status'"
        )


class StoppedError(StoreError):
    """A large commit stopped in the middle; `cause` says why. No node sees anything of it."""

    def __init__(self, cause: StoreError, done: int, total: int) -> None:
        self.cause, self.done, self.total = cause, done, total
        self.exit_code = cause.exit_code
        super().__init__(
            f"{cause}; it stopped after {done} of {total} parts, and no node sees any of them: go on with the same "
            "command and --resume, or undo it with 'lunmapctl import undo'"
        )


class NothingStagedError(StoreError):
    """No large commit is under way."""

    def __init__(self) -> None:
        super().__init__("there is nothing to undo: no large commit is under way")


def some(items: Sequence[str]) -> str:
    """List the first few of many."""
    more = f"; and {len(items) - _MAX_NAMED} more" if len(items) > _MAX_NAMED else ""
    return "; ".join(items[:_MAX_NAMED]) + more


class EditedMeanwhileError(StoreError):
    """An object was changed around the tools since the map was read."""

    exit_code = Exit.CONFLICT

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} was changed around the tools after it was read, nothing was committed; look at the map and try again"
        )
