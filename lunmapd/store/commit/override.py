"""Overrides: what nodes may do to initiators that are logged in, for a while."""

from msgspec.structs import replace

from lunmapd.core.history.changes import Allowance, Revision
from lunmapd.store.commit.commit import commit_on_newest
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content
from lunmapd.store.session.session import Session
from lunmapd.store.tree.snapshot import Snapshot


def override(session: Session, before: Snapshot, allowance: Allowance, options: CommitOptions) -> Revision:
    """Allow what the newest revision asks for, by a revision of its own; the next one ends it.

    It is made only on top of `before`: what others have committed since, nobody has looked at. Raises UnexpectedRevisionError,
    and the errors of `commit`.
    """
    bound = replace(options, expect=before.revision if options.expect is None else options.expect)
    made = commit_on_newest(session, before, lambda _: Content(allows=allowance), bound)
    assert made is not None, "it is always something to commit"
    return made
