"""Options and output that the verbs share: text for people, JSON for programs."""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from lunmapd.client.note import Note
from lunmapd.service.cli import OutputError, describe_os_error
from lunmapd.service.output import echo, echo_json, echo_painted

if TYPE_CHECKING:
    from lunmapd.client import Change, Revision
    from lunmapd.core.fleet.progress import Progress
    from lunmapd.core.history.fields import Difference

closed_option = click.option(
    "--acl",
    "closed",
    is_flag=True,
    help="In an empty chroot: make this client's principal the only admin; see 'acl whoami'.",
)


_COMMITTED = "lunmapd.committed"


def watch_commits(committed: Callable[[], int | None]) -> None:
    """Let the message after an interrupt name the last revision that a client of the command has committed.

    `committed` returns its number, None for none.
    """
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta.setdefault(_COMMITTED, []).append(committed)


def committed_revision() -> int | None:
    """Return the last revision that the command has committed, None for none."""
    context = click.get_current_context(silent=True)
    watched: list[Callable[[], int | None]] = [] if context is None else context.meta.get(_COMMITTED, [])
    return max((number for each in watched if (number := each()) is not None), default=None)


@contextmanager
def committing() -> Iterator[None]:
    """Let an interrupt, and an output that can't be written, state what the command has committed."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise _with_commit(error) from None
    except click.Abort as error:
        # A question of click makes it of Ctrl-C, and of an input that ends.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise _with_commit(error.__context__) from None
    except OSError as error:
        if (revision := committed_revision()) is None:
            raise
        raise OutputError(f"revision {revision} is committed, but {describe_os_error(error)}") from None


def _with_commit(error: KeyboardInterrupt) -> KeyboardInterrupt:
    """Return an interrupt that states what was committed."""
    from lunmapd.store.commit.commit_errors import CommitInterruptedError

    is_stated = isinstance(error, CommitInterruptedError)
    return error if is_stated else CommitInterruptedError.after(committed_revision())


def note_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every verb that commits; the command receives them as `note`."""

    @click.option("-m", "--message", default="", help="The reason, for the log.")
    @click.option("--author", default="", help="The author, for the log.  [default: user@host]")
    @click.option(
        "--expect-revision",
        type=click.IntRange(min=0),
        metavar="N",
        help="Commit nothing unless the map is at this revision.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: object, message: str, author: str, expect_revision: int | None, **rest: object
    ) -> None:
        with committing():
            command(*args, note=Note(message, author, expect_revision), **rest)

    return wrapped


def restore_note_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a restore, which follows no revision; the command receives them as `note`."""

    @click.option("-m", "--message", default="", help="The reason, for the log.")
    @click.option("--author", default="", help="The author, for the log.  [default: user@host]")
    @functools.wraps(command)
    def wrapped(*args: object, message: str, author: str, **rest: object) -> None:
        command(*args, note=Note(message, author), **rest)

    return wrapped


NO_PROGRESS: "Mapping[str, Progress]" = {}


class Committed(Struct, frozen=True, omit_defaults=True):
    """The JSON of a verb that commits; `revision` is None when nothing was committed.

    `nodes` is there if the verb waited: how far each node of the map was with the revision.
    """

    revision: int | None
    changes: "tuple[Difference, ...]"
    nodes: "Mapping[str, Progress]" = {}


def echo_committed(
    revision: "Revision | None",
    changes: "tuple[Change, ...]",
    output: str,
    nothing: str,
    *,
    is_shown: bool = False,
    nodes: "Mapping[str, Progress]" = NO_PROGRESS,
) -> None:
    """Print the committed changes and the revision, or `nothing`.

    `changes` are the requested changes; for people they are left out if they are shown already. `nodes` are
    those that the verb has waited for.
    """
    effective = changes if revision is None or revision.part else revision.changes or changes
    from lunmapd.core.history.fields import differences
    from lunmapd.service.ctl.text.differences import difference_lines

    changed = differences(effective)
    if output == "json":
        return echo_json(Committed(revision.revision if revision else None, changed, nodes))
    if not is_shown:
        echo_painted(*difference_lines(changed, whole=False))
    return echo(f"committed revision {revision.revision}" if revision else nothing)
