"""What the short verbs share: the options, the plan, the commit, and what the hosts have to do."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Note, Proposal, Revision
from lunmapd.core.base.lunmap import Section
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.commit.consent import Consent, consent_options
from lunmapd.service.ctl.commit.permissions import EditPermission, permission_options
from lunmapd.service.ctl.commit.steps import (
    commit_proposal,
    dry_run_option,
    nothing_text,
    show_plan,
    warn_of_changes,
)
from lunmapd.service.ctl.commit.waiting import rollout_options, wait_for, wait_option
from lunmapd.service.ctl.edits.words import typed_words
from lunmapd.service.ctl.start.lazy import is_planning
from lunmapd.service.ctl.text.output import note_options

if TYPE_CHECKING:
    from lunmapd.core.edits.maps import FreeNumbers

EditMap = Callable[[Lunmap, "FreeNumbers"], Lunmap]
FindLosses = Callable[[], tuple[str, ...]]
"""Finds the `losses` of `agree`."""

_ATTEMPTS = 3


class How(Struct, frozen=True):
    """How an edit is committed."""

    note: Note
    consent: Consent
    dry_run: bool
    wait: float | None
    output: str


def edit_options(
    *permissions: EditPermission, can_empty: bool = False, can_try: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options of every short verb; the command receives them as `how`.

    `permissions` are those that its edit can need. `can_empty`: it can remove the last node or object.
    `can_try`: it is one commit, which can start a rollout.
    """
    tried = rollout_options if can_try else _leave_as_it_is

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @note_options
        @permission_options(*permissions)
        @tried
        @consent_options(can_empty=can_empty)
        @dry_run_option
        @wait_option
        @output_option
        @functools.wraps(command)
        def wrapped(
            *args: object,
            note: Note,
            consent: Consent,
            dry_run: bool,
            wait: float | None,
            output: str,
            **rest: object,
        ) -> None:
            if not note.message:
                note = replace(note, message=typed_words())
            command(*args, how=How(note, consent, dry_run, wait, output), **rest)

        return wrapped

    return decorate


def _leave_as_it_is(command: Callable[..., None]) -> Callable[..., None]:
    return command


def commit_edit(
    connection: Connection, edit: EditMap, how: How, gone: tuple[Section, str] | None = None
) -> None:
    """Edit the newest map: show, ask, commit, and print what the hosts have to do.

    If another client changed the same objects meanwhile, the edit is made and shown again. `gone` is the
    section and the word of an object that the edit removes.
    """
    with connection.client() as client:
        commit_edit_by(client, edit, how, gone)


def commit_edit_by(
    client: Client,
    edit: EditMap,
    how: How,
    gone: tuple[Section, str] | None = None,
    find_losses: FindLosses = tuple,
) -> Revision | None:
    """Edit the newest map as `commit_edit` does; return the revision, None if none was made.

    An edit with `find_losses` is made again after any commit of another client, since that may have ended the
    other way to a Lun.
    """
    from lunmapd.store.commit.commit_errors import ConflictError, UnexpectedRevisionError

    for attempt in range(1, _ATTEMPTS + 1):
        proposal = client.propose_edit(edit, how.note)
        bound = how if find_losses is tuple else bind(how, proposal.before.revision)
        try:
            return commit_proposed(client, proposal, bound, gone, find_losses)
        except (ConflictError, UnexpectedRevisionError):
            if attempt == _ATTEMPTS or how.note.expect is not None:
                raise
    return None


def bind(how: How, revision: int) -> How:
    """Return how an edit is committed on top of this revision alone, or of the one that the admin expects."""
    expect = revision if how.note.expect is None else how.note.expect
    return replace(how, note=replace(how.note, expect=expect))


def commit_proposed(
    client: Client,
    proposal: Proposal,
    how: How,
    gone: tuple[Section, str] | None = None,
    find_losses: FindLosses = tuple,
) -> Revision | None:
    """Show, ask, commit, and print what the hosts have to do, or only plan; return the revision that is made.

    `gone` is as in `commit_edit`.
    """
    warn_of_changes(proposal)
    losses = find_losses() if proposal.changes else ()
    if is_planning():
        show_plan(client, proposal, how.note, how.output, losses)
        return None
    nothing = nothing_text(proposal, dry_run=how.dry_run)
    if gone is not None and not proposal.changes:
        nothing = _nothing_there(proposal.after, *gone)
    consent = None if how.dry_run else how.consent
    made = commit_proposal(client, proposal, how.note, consent, how.output, nothing, losses, how.wait)
    if not how.dry_run:
        wait_for(client, made, proposal.before.revision, how.wait, how.output, proposal.changes)
    return made


def _nothing_there(lunmap: Lunmap, section: Section, word: str) -> str:
    """Return the sentence that the object to remove is not in the map, with the nearest one."""
    from lunmapd.core.map.short_names import last_part

    known = lunmap.section(section)
    near = nearest(word, {*known, *map(last_part, known)})
    return f"nothing to change: the map has no {section}/{word}{suggestion(near)}"
