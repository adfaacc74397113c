"""Bringing a tree of the former schema to this one, as one commit that nodes see all at once."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, Revision, as_raw, patch
from lunmapd.store.commit.commit_errors import StagedError
from lunmapd.store.commit.commit_options import Terms
from lunmapd.store.commit.draft import Content, Write, content_of, tip_of
from lunmapd.store.commit.publish import publish
from lunmapd.store.commit.send import ensure, insist
from lunmapd.store.commit.sizes import Extra, batches
from lunmapd.store.commit.staged import Halfway, finish
from lunmapd.store.session import paths
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_all
from lunmapd.store.tree.snapshot import SCHEMA, Snapshot, meta_of
from lunmapd.store.tree.znodes import children
from lunmapd.store.upkeep.remove import removals

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""Gets all documents by path, and returns those that must change; nothing for documents that were converted already."""


class OldNodesError(StoreError):
    """Nodes that run the former version are alive; they could not read the new schema."""

    exit_code = Exit.CONFLICT

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        super().__init__(
            f"these nodes still run a version that knows only the former schema: {', '.join(nodes)}; upgrade lunmapd there first"
        )


def migrate(session: Session, convert: Convert, terms: Terms) -> Revision | None:
    """Convert the documents and set the schema, in one commit; None when the tree has this schema already.

    Raises OldNodesError, StagedError, LateError when somebody committed meanwhile, and the errors of `publish`.
    """
    latest = read_all(session)
    if latest.schema == SCHEMA:
        return None
    _refuse_old_nodes(session)
    if latest.staged is not None:
        raise StagedError(latest.staged)
    _prepare(session, latest)
    revision = publish(session, latest, tip_of(latest), _content(latest, convert), terms)
    _remove_former(session, latest)
    return revision


def resume(session: Session, halfway: Halfway, convert: Convert, terms: Terms) -> Revision:
    """Go on with a migration that stopped in the middle. Raises as `migrate` does, and TakenOverError."""
    _refuse_old_nodes(session)
    revision = finish(session, halfway, _content(halfway.tip, convert), terms)
    _remove_former(session, halfway.tip)
    return revision


def converted(lunmap: Lunmap, convert: Convert) -> Lunmap:
    """Return a map of any schema as one of this schema."""
    documents = {f"{section}/{name}": encode(document) for section, name, document in lunmap.documents()}
    changes = (Change(path, after=as_raw(data)) for path, data in convert(documents).items())
    return patch(lunmap, changes)


def _refuse_old_nodes(session: Session) -> None:
    if alive := sorted(children(session, paths.FORMER[0]) or ()):
        raise OldNodesError(alive)


def _prepare(session: Session, latest: Snapshot) -> None:
    """Make what the new schema has besides documents; until the release nobody minds it."""
    for path in (*paths.PARENTS, paths.identity(latest.cluster, latest.incarnation)):
        insist(session, (Write(path, None, b""),), (paths.META,))


def _content(latest: Snapshot, convert: Convert) -> Content:
    documents = {path: data for path in latest.paths() if (data := latest.data(path)) is not None}
    found = content_of(latest, convert(documents)) or Content()
    meta = meta_of(latest)
    return replace(found, writes=(Write(paths.META, encode(meta), encode(replace(meta, schema=SCHEMA))),))


def _remove_former(session: Session, latest: Snapshot) -> None:
    """Remove what the nodes of the former version wrote; what can't be removed does no harm."""
    identity = paths.identity(latest.cluster, latest.incarnation)
    for name in paths.FORMER:
        for batch in batches(removals(session, name), Extra(len(session.root))):
            ensure(session, identity, batch)
