"""After a commit: waiting for nodes, a line for each, and letting the first nodes of a rollout try it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from lunmapd.client import Note
from lunmapd.core.base.root_error import Exit, LunmapdError
from lunmapd.service.ctl.commit.options import TRIAL_PAUSE, Pause
from lunmapd.service.ctl.text.output import echo_committed
from lunmapd.service.output import echo

if TYPE_CHECKING:
    from lunmapd.client import Change, Client, FirstNodes, Fleet, Progress, Revision, Snapshot
    from lunmapd.core.fleet.known_problems import KnownProblems

_PATIENCE = 60.0
_FIRST, _AUTHOR = "lunmapd.first", "lunmapd.author"
_KNOWN = "lunmapd.known"


def remember_nodes(
    client: "Client", note: Note, seconds: float | None, before: "Snapshot | None" = None
) -> None:
    """Read the nodes before a commit, for `wait_for`: what is wrong with them, and the first of a rollout.

    Of the map only what is new since `before` is read.
    """
    meta = click.get_current_context().meta
    is_tried = bool(note.first) and meta.get(TRIAL_PAUSE) is not None
    if seconds is not None or is_tried:
        meta[_KNOWN] = client.known_problems(before)
    if is_tried:
        meta[_FIRST] = client.first_nodes(note)
        meta[_AUTHOR] = note.author


def next_steps(note: Note, revision: int) -> Iterator[str]:
    """Yield what the admin has to do after a commit that started a rollout, in sentences."""
    if note.first and click.get_current_context().meta.get(TRIAL_PAUSE) is None:
        names = ", ".join(note.first)
        yield f"the other nodes than {names} follow revision {revision} after 'lunmapctl rollout continue'"
    if note.confirm_within:
        within = note.confirm_within
        yield f"revision {revision} is undone after {within} s, unless 'lunmapctl confirm' keeps it"


def is_waiting(seconds: float | None) -> bool:
    """Return whether the verb waits for nodes after its commit."""
    return seconds is not None or _FIRST in click.get_current_context().meta


def echo_made(
    made: "Revision | None",
    changes: "tuple[Change, ...]",
    output: str,
    nothing: str,
    seconds: float | None,
    *,
    is_shown: bool = False,
) -> None:
    """Print a commit as `echo_committed` does, before `wait_for`, which prints that of JSON."""
    if output != "json" or not is_waiting(seconds):
        echo_committed(made, changes, output, nothing, is_shown=is_shown)


def wait_for(
    client: "Client",
    made: "Revision | None",
    head: int,
    seconds: float | None,
    output: str = "table",
    changes: "tuple[Change, ...]" = (),
) -> None:
    """Wait until live nodes have applied a revision, `head` if none was made.

    A line for each node is printed as it gets there, or with the reason why it does not; as JSON they are
    printed with the commit, at the end. Raises NotAppliedError, RolloutHaltedError and RolloutUndoneError.
    """
    if not is_waiting(seconds):
        return
    report = _Report(made.revision if made else head, output, _known(made, changes))
    try:
        _wait(client, made, seconds, report)
    except KeyboardInterrupt:
        from lunmapd.store.commit.commit_errors import CommitInterruptedError

        if made is None:
            raise
        raise CommitInterruptedError.after(report.revision, report.behind, is_tried=report.is_tried) from None
    finally:
        if output == "json":
            echo_committed(made, changes, output, "", nodes=report.nodes)


def _known(made: "Revision | None", changes: "tuple[Change, ...]") -> "KnownProblems | None":
    """Return the state before the commit with what it changed, None if nothing was committed."""
    known: KnownProblems | None = click.get_current_context().meta.get(_KNOWN)
    if made is None or known is None or (made.part and not changes):
        return None
    return replace(known, paths=frozenset(change.path for change in changes or made.changes))


def _wait(client: "Client", made: "Revision | None", seconds: float | None, report: "_Report") -> None:
    try:
        if made is not None:
            _try_first(client, made.revision, seconds, report)
        if seconds is not None:
            client.wait_applied(report.revision, seconds, report.see, report.known)
    except LunmapdError as error:
        if made is not None and error.exit_code is Exit.UNREACHABLE:
            echo(f"lunmapctl: revision {report.revision} is committed; stopped waiting", err=True)
        raise


class _Report:
    """Prints how far each node is, whenever that changes."""

    def __init__(self, revision: int, output: str, known: "KnownProblems | None") -> None:
        self.revision, self.known = revision, known
        self.nodes: dict[str, Progress] = {}
        self._is_silent = output == "json"
        self._began = time.monotonic()

    @property
    def behind(self) -> list[str]:
        """The nodes that may follow the revision, live, and have not applied it."""
        others = {"applied", "waits", "dead"}
        return [name for name, progress in self.nodes.items() if progress.stage not in others]

    @property
    def is_tried(self) -> bool:
        """Whether nodes wait for the release of the revision."""
        return any(progress.stage == "waits" for progress in self.nodes.values())

    def see(self, fleet: "Fleet") -> None:
        """Take the state of all nodes of the map."""
        now, seconds = datetime.now(UTC), round(time.monotonic() - self._began, 1)
        for name in fleet.snapshot.lunmap.nodes:
            progress = fleet.progress(name, self.revision, now, self.known)
            before = self.nodes.get(name)
            if before is None or (before.stage, before.reason) != (progress.stage, progress.reason):
                self.nodes[name] = replace(progress, seconds=seconds)
                self._show(name, self.nodes[name])

    def _show(self, name: str, progress: "Progress") -> None:
        is_on_its_way = progress.stage is progress.stage.PENDING and not progress.reason
        if self._is_silent or is_on_its_way:
            return
        reason = f": {progress.reason}" if progress.reason else ""
        echo(f"{name}: {progress.stage} revision {self.revision}, {progress.seconds:g} s{reason}", err=True)


def _try_first(client: "Client", revision: int, seconds: float | None, report: _Report) -> None:
    """Let the first nodes try the revision, and release it if nothing is wrong. Raises RolloutHaltedError."""
    meta = click.get_current_context().meta
    first: FirstNodes | None = meta.get(_FIRST)
    if first is None:
        return
    pause: Pause = meta[TRIAL_PAUSE]
    first.wait(revision, _PATIENCE if seconds is None else seconds, report.see, report.known)
    if pause.asks and not click.confirm("Continue on all nodes?", err=True):
        first.halt(revision)
    if not first.watch(revision, pause.seconds, report.see):
        echo(f"revision {revision} was released to all nodes by another command", err=True)
        return
    made = client.continue_rollout(release_note(revision, meta[_AUTHOR]))
    if made is not None:
        report.revision = made.revision
        report.nodes.clear()


def release_note(revision: int, author: str) -> Note:
    """Return the note of a release to all nodes.

    Another admin may have ended the rollout meanwhile, and started the next one: that stays as it is.
    """
    return Note(f"release revision {revision} to all nodes", author, expect=revision)
