"""Errors of a commit; each message says whether something was committed, and what to do next."""

from collections.abc import Sequence

from msgspec import Struct

from lunmapd.core.base.errors import Exit, Problem
from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Rollout, Staged
from lunmapd.store.session.errors import StoreError

_MAX_NAMED = 10


class OutcomeUnknownError(StoreError):
    """A commit was sent, but neither confirmed nor found afterwards: ZooKeeper may or may not have it."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, revision: int) -> None:
        self.revision = revision
        super().__init__(
            f"the connection to ZooKeeper at {hosts} was lost during the commit: it is unknown whether "
            f"revision {revision} was committed; check 'lunmapctl log' before you repeat the commit"
        )


class CommitInterruptedError(KeyboardInterrupt):
    """A commit was interrupted, as by Ctrl-C; the text says what was committed."""

    @classmethod
    def after(
        cls, revision: int | None, behind: Sequence[str] = (), *, is_tried: bool = False
    ) -> "CommitInterruptedError":
        """Return the error for a commit that made `revision`, None for none.

        The nodes `behind` have not applied it; `is_tried` says that others wait for its release.
        """
        if revision is None:
            return cls("interrupted; nothing was committed")
        names = f" for {first_of(behind, _MAX_NAMED)}" if behind else ""
        rest = "; 'lunmapctl rollout continue' releases it to the other nodes, 'rollout abort' undoes it"
        return cls(f"revision {revision} is committed; stopped waiting{names}{rest if is_tried else ''}")

    @classmethod
    def in_parts(cls, done: int, total: int) -> "CommitInterruptedError":
        """Return the error for a large commit of which `done` of `total` parts are written."""
        return cls(
            f"interrupted after {done} of {total} parts, and no node sees any of them: resume it with the "
            "same command and --resume, or undo it with 'lunmapctl import undo'"
        )


class Clash(Struct, frozen=True):
    """An object that another client changed meanwhile.

    `fields` are the changed fields, `author` and `revision` are those of the last change. An out-of-band edit
    has no author, and revision 0.
    """

    path: str
    fields: tuple[str, ...]
    author: str
    revision: int

    def __str__(self) -> str:
        what = f"{self.path} ({', '.join(self.fields)})" if self.fields else self.path
        who = f"by {self.author} in revision {self.revision}" if self.revision else "out of band"
        return f"{what} was changed {who}"


class ConflictError(StoreError):
    """Another client committed meanwhile, up to `revision`, and this commit does not fit on top of it.

    `clashes` are the objects that both changed. If it is empty, `problems` are the rules that the map with
    both changes breaks.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, revision: int, clashes: Sequence[Clash], problems: Sequence[Problem] = ()) -> None:
        self.revision, self.clashes, self.problems = revision, tuple(clashes), tuple(problems)
        reasons = (*clashes, *problems)
        super().__init__(
            f"nothing was committed, since another client was faster (revision {revision}): "
            f"{first_of(reasons, _MAX_NAMED, '; ')}; check the map and try again"
        )


class UnexpectedRevisionError(StoreError):
    """The commit was bound to the revision `expected`, and the map is at `found`."""

    exit_code = Exit.CONFLICT

    def __init__(self, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"nothing was committed: the map is at revision {found}, expected was {expected}; "
            f"see 'lunmapctl diff {expected}..' and try again"
        )


class BusyError(StoreError):
    """Other clients were faster each time."""

    exit_code = Exit.CONFLICT

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"nothing was committed: other clients were faster {attempts} times in a row; try again"
        )


class NestedCommitError(StoreError):
    """A change function commits with the session of its own edit, which would wait for itself."""

    def __init__(self) -> None:
        super().__init__(
            "nothing was committed: the function that an edit calls must not commit; let it return all "
            "changes, or commit before or after the edit"
        )


class StagedError(StoreError):
    """A large commit of another client is under way, or was left behind.

    Until it ends no other commit can be made.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        why = f" ({staged.message!r})" if staged.message else ""
        super().__init__(
            f"nothing was committed: a large commit by {staged.author}{why} is under way, its last part is "
            f"revision {staged.revision} of {staged.time}; wait for it. If it was left behind, resume it "
            "(the same command with --resume) or undo it ('lunmapctl import undo')"
        )


class RolloutPendingError(StoreError):
    """A revision is tried, and until its rollout ends no other commit can be made."""

    exit_code = Exit.CONFLICT

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        going_on = "confirm' to keep the revision"
        if rollout.first:
            going_on = "rollout continue' to let all nodes follow it"
        super().__init__(
            f"nothing was committed: the rollout of revision {rollout.revision} is not over; see 'lunmapctl "
            f"rollout show', then 'lunmapctl {going_on}, or 'lunmapctl rollout abort'"
        )


class NoRolloutError(StoreError):
    """There is no rollout that could be continued or aborted."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__("no rollout is under way; see 'lunmapctl log'")


class RolloutUndoneError(StoreError):
    """A rollout was undone before it was confirmed, by its deadline or by the admin `aborted_by`."""

    exit_code = Exit.CONFLICT

    def __init__(self, tried: int, undo: int, aborted_by: str = "") -> None:
        self.tried, self.undo, self.aborted_by = tried, undo, aborted_by
        fate = f"was aborted by {aborted_by}" if aborted_by else "was not confirmed in time"
        super().__init__(
            f"revision {tried} {fate}, and revision {undo} undoes it; to commit it again: "
            f"'lunmapctl rollback {tried}'; to confirm removals: 'lunmapctl confirm {undo}'"
        )


class RolloutWaitsError(StoreError):
    """A rollout can't be confirmed while nodes wait for its release."""

    exit_code = Exit.CONFLICT

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        super().__init__(
            f"only {', '.join(rollout.first)} may follow revision {rollout.revision}: 'lunmapctl rollout "
            "continue' releases it to all nodes, 'lunmapctl rollout abort' undoes it"
        )


class RolloutTooLargeError(StoreError):
    """A commit that needs several transactions can't be rolled out."""

    exit_code = Exit.FAILED

    def __init__(self) -> None:
        super().__init__(
            "nothing was committed: the commit is too large for --first and --confirm-within, which need the "
            "commit and what undoes it in one transaction; divide it into smaller commits"
        )


class RolloutEditedError(StoreError):
    """A map with out-of-band edits can't be rolled out."""

    exit_code = Exit.CONFLICT

    def __init__(self, edited: Sequence[str]) -> None:
        super().__init__(
            "nothing was committed: a rollout needs a map without out-of-band edits, there are some of "
            f"{first_of(edited, _MAX_NAMED)}; see 'lunmapctl repair'"
        )


class TakenOverError(StoreError):
    """Another client resumed or undid the large commit that this client was making."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "another client resumed or undid this large commit; see 'lunmapctl log' and 'lunmapctl status'"
        )


class StoppedError(StoreError):
    """A large commit stopped half-way because of `cause`; `done` of `total` parts are written.

    No node sees any of them.
    """

    def __init__(self, cause: StoreError, done: int, total: int) -> None:
        self.cause, self.done, self.total = cause, done, total
        self.exit_code = cause.exit_code
        super().__init__(
            f"{cause}; the commit stopped after {done} of {total} parts, and no node sees any of them: "
            "resume it with the same command and --resume, or undo it with 'lunmapctl import undo'"
        )


class NothingStagedError(StoreError):
    """No large commit is under way."""

    def __init__(self) -> None:
        super().__init__("there is nothing to undo: no large commit is under way")


class EditedMeanwhileError(StoreError):
    """The object at `path` was edited out of band after the map was read."""

    exit_code = Exit.CONFLICT

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} was edited out of band after it was read, nothing was committed; "
            "check the map and try again"
        )
