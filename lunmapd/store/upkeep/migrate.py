"""Migrating a tree of the former schema to the current one, as one commit that nodes see all at once."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, Revision, as_raw, patch_map
from lunmapd.store.commit.commit_errors import StagedError
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content, Write, content_from_documents, tip_of
from lunmapd.store.commit.ledger import with_rebuilt_ledger
from lunmapd.store.commit.publish import publish
from lunmapd.store.commit.send import submit_in_tree, submit_repeatable
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.commit.staged import StagedCommit, finish_commit
from lunmapd.store.session import paths
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import SCHEMA, Snapshot, effective_map, meta_of
from lunmapd.store.tree.znodes import list_children
from lunmapd.store.upkeep.remove import deletions

Converter = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""Takes all documents by path; returns those that must change. Converted documents need no change."""


class OldNodesError(StoreError):
    """Nodes that run the former version are live; they could not read the new schema."""

    exit_code = Exit.CONFLICT

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        super().__init__(
            f"these nodes still run a version that knows only the former schema: {', '.join(nodes)}; "
            "upgrade lunmapd there first"
        )


def migrate(session: Session, convert: Converter, options: CommitOptions) -> Revision | None:
    """Convert the documents and set the schema, in one commit; return None if the tree has this schema.

    Raises OldNodesError, StagedError, OvertakenError if another client committed meanwhile, and the errors of
    `publish`.
    """
    latest = read_tree(session)
    if latest.schema == SCHEMA:
        return None
    _refuse_old_nodes(session)
    if latest.staged is not None:
        raise StagedError(latest.staged)
    _prepare(session, latest)
    content = with_rebuilt_ledger(session, latest, effective_map(latest), _content(latest, convert))
    revision = publish(session, latest, tip_of(latest), content, options).revision
    _remove_former(session, latest)
    return revision


def resume_migration(
    session: Session, staged: StagedCommit, convert: Converter, options: CommitOptions
) -> Revision:
    """Resume a migration that stopped half-way. Raises TakenOverError, and the errors of `migrate`."""
    _refuse_old_nodes(session)
    after = effective_map(staged.released)
    revision = finish_commit(session, staged, _content(staged.tip, convert), after, options)
    _remove_former(session, staged.tip)
    return revision


def convert_map(lunmap: Lunmap, convert: Converter) -> Lunmap:
    """Return a map of any schema as a map of the current schema."""
    documents = {f"{section}/{name}": encode(document) for section, name, document in lunmap.documents()}
    changes = (Change(path, after=as_raw(data)) for path, data in convert(documents).items())
    return patch_map(lunmap, changes)


def _refuse_old_nodes(session: Session) -> None:
    if alive := sorted(list_children(session, paths.FORMER[0]) or ()):
        raise OldNodesError(alive)


def _prepare(session: Session, latest: Snapshot) -> None:
    """Create the znodes that the new schema has besides documents; they change nothing until the release.

    The ledger is created by the commit itself.
    """
    parents = (path for path in paths.PARENTS if path != paths.ADDRESSES)
    for path in (*parents, paths.tree_id(latest.cluster, latest.incarnation)):
        submit_repeatable(session, (Write(path, None, b""),), (paths.META,))


def _content(latest: Snapshot, convert: Converter) -> Content:
    documents = {path: data for path in latest.paths() if (data := latest.data(path)) is not None}
    content = content_from_documents(latest, convert(documents)) or Content()
    meta = meta_of(latest)
    return replace(content, writes=(Write(paths.META, encode(meta), encode(replace(meta, schema=SCHEMA))),))


def _remove_former(session: Session, latest: Snapshot) -> None:
    """Delete what the nodes of the former version wrote; a znode that can't be deleted does no harm."""
    tree_id = paths.tree_id(latest.cluster, latest.incarnation)
    for name in paths.FORMER:
        for batch in batches(deletions(session, name), WriteOverhead(len(session.root))):
            submit_in_tree(session, tree_id, batch)
