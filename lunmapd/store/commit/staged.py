"""A large commit that was left behind half-way: resuming or undoing it."""

from msgspec import Struct

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.history.changes import Revision, build_map
from lunmapd.core.history.map_change import compare_objects
from lunmapd.core.history.spans import objects_at
from lunmapd.store.commit.commit_errors import NothingStagedError, StagedError, TakenOverError
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import (
    Content,
    content_from_change,
    content_from_documents,
    head_of,
    tip_of,
)
from lunmapd.store.commit.leases import keep_leases
from lunmapd.store.commit.ledger import find_reuse, with_rebuilt_ledger, with_reuse_allowance
from lunmapd.store.commit.publish import OvertakenError, publish, release
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import read_revision
from lunmapd.store.tree.read import read_tip, read_tree
from lunmapd.store.tree.snapshot import Snapshot, effective_map, map_with_identities
from lunmapd.store.tree.znodes import read_revisions

_ATTEMPTS = 3


class StagedCommit(Struct, frozen=True):
    """A large commit under way: the map that nodes follow, and the map with all parts that are written."""

    released: Snapshot
    tip: Snapshot

    @property
    def all_objects(self) -> Lunmap:
        """Every object of either map, in its newer form: serials and port ids are taken from these."""
        sections = {
            section: {
                **map_with_identities(self.released).section(section),
                **map_with_identities(self.tip).section(section),
            }
            for section in SECTIONS
        }
        return build_map(sections)


def read_staged(session: Session) -> StagedCommit:
    """Read both maps.

    Raises NothingStagedError, and StagedError if another client is writing parts right now.
    """
    for _ in range(_ATTEMPTS):
        released, tip = read_tree(session), read_tip(session)
        if released.staged is None:
            raise NothingStagedError
        if tip.head_version == released.head_version:
            return StagedCommit(released, tip)
        moving = released.staged
    raise StagedError(moving)


def resume_commit(session: Session, staged: StagedCommit, after: Lunmap, options: CommitOptions) -> Revision:
    """Write the rest until the map is `after`, and release it; return the last revision.

    Raises InvalidInputError, TakenOverError if another client was faster, and the errors of `publish`.
    """
    change = compare_objects(effective_map(staged.released), after)
    options.check_map(change)
    if problems := find_reuse(session, staged.released, change, options):
        raise InvalidInputError(problems)
    rest = compare_objects(staged.tip.lunmap, after)
    content = content_from_change(staged.tip, rest) or Content()
    allowed = with_reuse_allowance(content, staged.released, after, options)
    return finish_commit(session, staged, allowed, after, options)


def undo_commit(session: Session, staged: StagedCommit, options: CommitOptions) -> Revision:
    """Change the map back to the one that nodes follow, and release that; return the last revision.

    Raises TakenOverError if another client was faster, and the errors of `publish`.
    """
    first, last = staged.released.revision + 1, staged.tip.revision
    parts = read_revisions(session, range(first, last + 1))
    if len(parts) <= last - first:
        raise DamagedError(session.path(paths.REVISIONS), f"not all of {first} to {last} are there")
    back = content_from_documents(staged.tip, objects_at(first - 1, parts)) or Content()
    return finish_commit(session, staged, back, effective_map(staged.released), options)


def finish_commit(
    session: Session, staged: StagedCommit, content: Content, after: Lunmap, options: CommitOptions
) -> Revision:
    """Write the rest of a large commit, and release all of it; return the last revision.

    `after` is the map that is released. The commit that stopped may have written a part of a new ledger, so
    the ledger is compared with all of the history. Raises TakenOverError if another client was faster, and
    the errors of `publish`.
    """
    released, tip = staged.released, staged.tip
    place = tip_of(tip, head_of(released, tip.staged))
    content = with_rebuilt_ledger(session, released, after, content)
    try:
        if content.steps:
            revision = publish(session, released, place, content, options).revision
        else:
            newest = read_revision(session, tip.revision, tip.revision)
            revision = release(session, released, place, newest, content, options)
    except OvertakenError:
        raise TakenOverError from None
    keep_leases(session, after, revision.revision)
    return revision
