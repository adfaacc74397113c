"""What the modules of the short verbs need before the session connects: the options, and the way to `run`."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Note
from lunmapd.service.cli import output_option
from lunmapd.service.ctl.commit.options import (
    Consent,
    consent_options,
    dry_run_option,
    rollout_options,
    wait_option,
)
from lunmapd.service.ctl.commit.permissions import EditPermission, permission_options
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.edits.words import typed_words
from lunmapd.service.ctl.text.output import note_options

if TYPE_CHECKING:
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.base.sections import Section
    from lunmapd.core.edits.maps import FreeNumbers

EditMap = Callable[["Lunmap", "FreeNumbers"], "Lunmap"]


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
    connection: Connection, edit: EditMap, how: How, gone: "tuple[Section, str] | None" = None
) -> None:
    """Edit the newest map: show, ask, commit, and print what the hosts have to do.

    If another client changed the same objects meanwhile, the edit is made and shown again. `gone` is the
    section and the word of an object that the edit removes.
    """
    with connection.client() as client:
        from lunmapd.service.ctl.edits.run import commit_edit_by

        commit_edit_by(client, edit, how, gone)


def commit_fields(
    connection: Connection, section: "Section", word: str, fields: tuple[str, ...], how: How
) -> None:
    """Set fields of the object that a word of the admin stands for, as `commit_edit` does."""

    def edit(lunmap: "Lunmap", _: "FreeNumbers") -> "Lunmap":
        from lunmapd.core.edits.assign import with_fields
        from lunmapd.core.edits.find import find_name_in

        return with_fields(lunmap, section, find_name_in(lunmap, section, word), fields)

    commit_edit(connection, edit, how)
