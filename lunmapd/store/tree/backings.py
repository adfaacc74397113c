"""The znodes of what nodes have opened for the Luns: `members/<node>/backings/<chunk>`."""

from collections.abc import Iterable, Mapping

from kazoo.exceptions import NoNodeError
from msgspec import Struct

from lunmapd.core.base.backing_reports import BackingReport, Reports, chunk_of, unpack_reports
from lunmapd.core.base.documents import DocumentError
from lunmapd.core.base.permissions.principals import CHUNK_NAMES
from lunmapd.store.session import paths
from lunmapd.store.session.limits import check_document
from lunmapd.store.session.session import FORBIDDEN, Forbidden, Session
from lunmapd.store.tree.permissions.roles import create_znode
from lunmapd.store.tree.snapshot import Raw
from lunmapd.store.tree.znodes import read_permitted


class NodeReports(Struct, frozen=True):
    """The reports of one node, by the name of the Lun. `problem` is why they can't be read, else empty."""

    luns: Reports = {}
    problem: str = ""


def write_chunk(session: Session, node: str, name: str, data: bytes) -> None:
    """Write one chunk of a node that is registered.

    Raises TooLargeError, StoreError if the tree does not permit it, and UnreachableError.
    """
    relative = paths.backings_chunk(node, name)
    check_document(relative, data)
    try:
        session.repeat(lambda client: client.set_async(session.path(relative), data), relative)
    except NoNodeError:
        _create_chunk(session, node, relative, data)


def _create_chunk(session: Session, node: str, relative: str, data: bytes) -> None:
    try:
        create_znode(session, relative, data)
    except NoNodeError:
        create_znode(session, paths.backings_of(node))
        create_znode(session, relative, data)


def read_backings(session: Session, nodes: Iterable[str]) -> dict[str, NodeReports]:
    """Read what these nodes report, by node. A node that reports nothing has no reports."""
    names = list(nodes)
    wanted = [paths.backings_chunk(name, chunk) for name in names for chunk in CHUNK_NAMES]
    raws = read_permitted(session, wanted)
    return {
        name: _reports(raws[start : start + len(CHUNK_NAMES)])
        for name, start in zip(names, range(0, len(raws), len(CHUNK_NAMES)), strict=True)
    }


def read_backings_of(
    session: Session, nodes: Iterable[str], luns: Iterable[str]
) -> dict[str, Mapping[str, BackingReport]]:
    """Read what these nodes report about some Luns, by node and Lun; what can't be read is left out."""
    chunks, names = sorted({chunk_of(lun) for lun in luns}), list(nodes)
    raws = read_permitted(session, [paths.backings_chunk(name, chunk) for name in names for chunk in chunks])
    return {
        name: _reports(raws[start : start + len(chunks)]).luns
        for name, start in zip(names, range(0, len(raws), max(1, len(chunks))), strict=False)
    }


def _reports(raws: Iterable[Raw | Forbidden | None]) -> NodeReports:
    """Decode the chunks of a node. `acl grant` creates them empty, so that they have the right ACL."""
    chunks = list(raws)
    if FORBIDDEN in chunks:
        return NodeReports(problem="its ACL forbids this client to read them")
    try:
        return NodeReports(unpack_reports(raw.data for raw in chunks if isinstance(raw, Raw) and raw.data))
    except DocumentError as error:
        return NodeReports(problem=str(error))
