"""What the short verbs share once they are connected: the plan, the commit, and what the hosts have to do."""

from collections.abc import Callable

from msgspec.structs import replace

from lunmapd.client import Client, Lunmap, Proposal, Revision
from lunmapd.core.base.sections import Section
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.service.ctl.commit.steps import commit_proposal, nothing_text, show_plan, warn_of_changes
from lunmapd.service.ctl.commit.waiting import wait_for
from lunmapd.service.ctl.edits.options import EditMap, How
from lunmapd.service.ctl.start.lazy import is_planning

FindLosses = Callable[[], tuple[str, ...]]
"""Finds the `losses` of `agree`."""

_ATTEMPTS = 3


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
