"""Proposals: what a commit would change, checked against all rules; committing them, and foreseeing nodes."""

from __future__ import annotations

import uuid
from itertools import islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.client.file_merge import merge_file
from lunmapd.client.note import Note, Prefer, Proposal
from lunmapd.client.rollouts import trial_of
from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.edits.maps import FreeNumbers, first_unused
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.history.map_change import compare_objects
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.core.map.fill_in import fill_in, needs_port_ids
from lunmapd.core.map.ledger import unused_lun_numbers, unused_tags
from lunmapd.core.map.used_numbers import UNUSED
from lunmapd.store.commit.acts import edited_changes
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_errors import NothingStagedError, RolloutTooLargeError
from lunmapd.store.commit.ledger import find_reuse, known_maps, read_addresses, read_ids
from lunmapd.store.commit.staged import StagedCommit, read_staged, resume_commit
from lunmapd.store.tree.history import check_released, map_at
from lunmapd.store.tree.history_errors import HistoryUnknownError
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot, edits_explained, effective_map, map_with_identities
from lunmapd.store.upkeep.migrate import convert_map

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from lunmapd.client.committer import Committer
    from lunmapd.core.base.lunmap import Lunmap
    from lunmapd.core.map.file_base import FileBase
    from lunmapd.store.commit.commit_options import CommitOptions
    from lunmapd.store.session.session import Session


def propose(  # noqa: PLR0913 - the parameters of Client.propose
    committer: Committer,
    target: Lunmap,
    note: Note,
    *,
    base: FileBase | None = None,
    prefer: Prefer | None = None,
    resume: bool = False,
) -> Proposal:
    """Return what committing `target` would change: see `Client.propose`."""
    session = committer.session
    staged = staged_commit(session) if resume else None
    before = staged.released if staged else read_tree(session)
    known = staged.all_objects if staged else map_with_identities(before)
    if base is not None:
        target = merge_file(session, target, base, before, prefer)
    after = _fill_in(session, target, known, before)
    fresh = _new_serials(target, after, known)
    options = replace(committer.options(note), new_serials=fresh)
    return _checked(session, before, after, options, staged)


def propose_edit(
    committer: Committer, before: Snapshot, change: Callable[[Lunmap, FreeNumbers], Lunmap], note: Note
) -> Proposal:
    """Return what committing the result of `change` would change: see `Client.propose_edit`."""
    session = committer.session
    after = change(effective_map(before), _free_numbers(session, before))
    known = map_with_identities(before)
    filled = _fill_in(session, after, known, before)
    fresh = _new_serials(after, filled, known)
    return _checked(session, before, filled, replace(committer.options(note), new_serials=fresh), None)


def propose_rollback(committer: Committer, revision: int, note: Note, *, resume: bool = False) -> Proposal:
    """Return what committing the map at `revision` would change: see `Client.propose_rollback`."""
    session = committer.session
    staged = staged_commit(session) if resume else None
    now = staged.released if staged else read_tree(session)
    check_released(session, revision, now.revision)
    then = convert_map(map_at(session, now, revision), migrate_to_schema_2)
    return _checked(session, now, then, committer.options(note), staged)


def propose_revert(committer: Committer, revision: int, note: Note) -> Proposal:
    """Return what undoing one revision would change: see `Client.propose_revert`."""
    from lunmapd.client.revert import reverted_map

    now = read_tree(committer.session)
    after = reverted_map(committer.session, now, revision)
    return _checked(committer.session, now, after, committer.options(note), None)


def propose_repair(session: Session) -> Proposal:
    """Return what reverting the out-of-band edits would change: see `Client.propose_repair`."""
    now = read_tree(session)
    if not edits_explained(now):
        raise HistoryUnknownError
    return Proposal(now, known_maps(now)[0], edited_changes(now))


def apply_proposal(committer: Committer, proposal: Proposal, note: Note) -> Revision | None:
    """Commit a proposal: see `Client.apply`."""
    trial = trial_of(committer.session, proposal, note)
    options = replace(committer.options(note), new_serials=proposal.new_serials, trial=trial)
    if proposal.resumes is None:
        return committer.tidied(commit(committer.session, proposal.before, proposal.after, options))
    if trial is not None:
        raise RolloutTooLargeError
    return committer.tidied(resume_commit(committer.session, proposal.resumes, proposal.after, options))


def _checked(
    session: Session, before: Snapshot, after: Lunmap, options: CommitOptions, staged: StagedCommit | None
) -> Proposal:
    """Check a whole map against the rules, and against the ledger. Raises InvalidInputError."""
    change = compare_objects(effective_map(before), after)
    options.check_map(change)
    if problems := find_reuse(session, before, change, options):
        raise InvalidInputError(problems)
    changes = diff_maps(before.lunmap, after)
    return Proposal(before, after, changes, frozenset(options.new_serials), staged)


def next_lun_numbers(session: Session, initiator: str, target: str, count: int) -> tuple[int, ...]:
    """Return LUN numbers that an initiator never had: see `Client.unused_lun_numbers`."""
    now = read_tree(session)
    ledger = read_addresses(session, now, (initiator,))
    maps = (now.lunmap, effective_map(now))
    return tuple(islice(unused_lun_numbers(ledger, maps, target, (initiator,)), count))


def _free_numbers(session: Session, now: Snapshot) -> FreeNumbers:
    effective = effective_map(now)

    def lun(lunmap: Lunmap, target: str, initiators: Collection[str], first: Iterable[int]) -> int:
        ledger = read_addresses(session, now, initiators)
        maps = (lunmap, now.lunmap, effective)
        return first_unused(unused_lun_numbers(ledger, maps, target, initiators, first), "LUN number")

    def tag(lunmap: Lunmap) -> int:
        used = read_ids(session, now)
        return first_unused(unused_tags(used, (lunmap, effective)), "TPG tag")

    return FreeNumbers(lun, tag)


def _fill_in(session: Session, target: Lunmap, known: Lunmap, released: Snapshot) -> Lunmap:
    used = UNUSED
    if needs_port_ids(target, known):
        used = read_ids(session, released).port_ids
    return fill_in(target, known, _new_serial, used)


def _new_serial() -> str:
    return uuid.uuid4().hex


def _new_serials(target: Lunmap, filled: Lunmap, known: Lunmap) -> frozenset[str]:
    """Return the serials that `fill_in` chose for `target`."""
    return frozenset(
        filled.luns[name].serial
        for name, lun in target.luns.items()
        if not lun.serial and name not in known.luns
    )


def staged_commit(session: Session) -> StagedCommit | None:
    """Return the large commit that stopped half-way, None if there is none."""
    try:
        return read_staged(session)
    except NothingStagedError:
        return None
