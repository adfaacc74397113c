"""What was read from the tree, as one immutable value. Pure."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Document, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.history.changes import (
    Allowance,
    Change,
    Head,
    Revision,
    Rollout,
    Staged,
    as_bytes,
    as_raw,
    build_map,
    document_at,
    patch_map,
    patch_map_digest,
    split_path,
)
from lunmapd.core.history.checkpoint import Checkpoint
from lunmapd.core.history.digest import digest_documents, replace_document, show_digest
from lunmapd.core.history.rollout import tried_revision
from lunmapd.core.history.spans import Span

_T = TypeVar("_T")

SCHEMA = 2
MIN_SCHEMA = 1
_SECTIONS_1: tuple[Section, ...] = ("luns", "targets", "initiators", "nodes")


def sections_of(schema: int) -> tuple[Section, ...]:
    """Return the sections of a tree of this schema."""
    return _SECTIONS_1 if schema == 1 else tuple(SECTIONS)


class Meta(Struct, frozen=True, omit_defaults=True):
    """The document `meta`: the schema of the tree, and the uuid of its cluster.

    `incarnation` counts the restores of the tree; `restored` is the revision that the last restore made.
    """

    schema: int
    cluster: str
    incarnation: int = 0
    restored: int = 0


ANY_VERSION = -1


class Raw(Struct, frozen=True):
    """The bytes of a znode and its version; ANY_VERSION if the bytes were taken from a revision.

    `forbidden` is why the client may not read the znode, "" if it may. Then there are no bytes. `children` is
    the number of its children, `acl` the AclVersion, and `owner` the id of the session that owns it
    (0: none does), if the znode was read by `read_many`.
    """

    data: bytes
    version: int
    forbidden: str = ""
    children: int = 0
    acl: tuple[int, int] | None = None
    owner: int = 0


class Snapshot(Struct, frozen=True):
    """The whole map at one revision. All mappings are by the path of an object, such as `luns/db1`.

    - `digest` is the digest of the objects that were read, `head_digest` the one in head.
    - `unreadable`: why the object can't be decoded, or not be read.
    - `raw`: the bytes of each object that is not in canonical form.
    - `edited`: for each object that was edited out of band, the bytes that the revisions have, or None.
    - `versions`: the znode version of each object that was read itself, not taken from a revision.
    - `incarnation` and `restored` are those of meta, `head_version` is the znode version of head.
    - Removals are confirmed up to the revision `confirmed`.
    - `staged` describes a large commit under way, `allowance` is the override of this revision, and `ledger`
      says that the ledger has all revisions.
    - `rollout` is the rollout under way: this snapshot is of its revision, of the one before for a node that
      waits, or of the one that undoes it.

    A Snapshot survives JSON.
    """

    cluster: str
    revision: int
    digest: str
    head_digest: str
    head_version: int
    lunmap: Lunmap
    unreadable: Mapping[str, str] = {}
    raw: Mapping[str, bytes] = {}
    edited: Mapping[str, bytes | None] = {}
    versions: Mapping[str, int] = {}
    schema: int = SCHEMA
    incarnation: int = 0
    restored: int = 0
    confirmed: int = 0
    staged: Staged | None = None
    allowance: Allowance | None = None
    ledger: bool = False
    rollout: Rollout | None = None

    @property
    def has_edits(self) -> bool:
        """Whether objects were edited out of band, by other means than a commit."""
        return self.digest != self.head_digest

    @property
    def tried(self) -> int:
        """The revision that is tried in a rollout, 0 for none."""
        return tried_revision(self.rollout, self.revision)

    def data(self, path: str) -> bytes | None:
        """Return the bytes of the object at `path` in the tree; None if there is none."""
        if path in self.raw:
            return self.raw[path]
        return document_at(self.lunmap, path)

    def has(self, path: str) -> bool:
        """Return whether the tree has an object at `path`, readable or not."""
        section, name = split_path(path)
        return name in self.lunmap.section(section) or path in self.unreadable

    def paths(self) -> set[str]:
        """Return the paths of all objects in the tree, readable or not."""
        return {f"{section}/{name}" for section, name, _ in self.lunmap.documents()} | self.unreadable.keys()


def meta_of(snapshot: Snapshot) -> Meta:
    """Return the meta that this snapshot was read with."""
    return Meta(snapshot.schema, snapshot.cluster, snapshot.incarnation, snapshot.restored)


def assemble(
    meta: Meta, head: Head, head_version: int, objects: Mapping[str, Raw], known: Lunmap = EMPTY_MAP
) -> Snapshot:
    """Make a Snapshot of raw objects by path.

    An object that can't be decoded, or must not be read, is listed in `unreadable`.

    An object that is equal to the one of `known` is the same Python object in both maps, and so is its name:
    memory holds them once, and a comparison is cheap. New names, made while the bytes of the whole tree are
    in memory, would keep Python from returning the memory of these bytes.
    """
    names = {section: {name: name for name in known.section(section)} for section in SECTIONS}
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    unreadable: dict[str, str] = {}
    raw: dict[str, bytes] = {}
    for path, item in objects.items():
        section, name = split_path(path)
        try:
            document = decode(item.data, SECTIONS[section], (section, name))
        except DocumentError as error:
            unreadable[path] = item.forbidden or str(error)
            raw[path] = item.data
            continue
        name = names[section].get(name, name)
        before = known.section(section).get(name)
        sections[section][name] = before if before is not None and before == document else document
        if encode(document) != item.data:
            raw[path] = item.data
    return Snapshot(
        cluster=meta.cluster,
        revision=head.revision,
        digest=show_digest(digest_documents((path, item.data) for path, item in objects.items())),
        head_digest=head.digest,
        head_version=head_version,
        lunmap=build_map(sections),
        unreadable=unreadable,
        raw=raw,
        versions={path: item.version for path, item in objects.items() if item.version != ANY_VERSION},
        schema=meta.schema,
        incarnation=meta.incarnation,
        restored=meta.restored,
        confirmed=head.confirmed,
        staged=head.staged,
        allowance=head.allowance,
        ledger=head.ledger,
        rollout=head.rollout,
    )


def find_edits(snapshot: Snapshot, newer: Span, base: Checkpoint) -> dict[str, bytes | None]:
    """Return what the history has for each object that differs from it: bytes by path, None for no object.

    `newer` are the changes of the revisions since `base`. If there is a gap between the two, nothing is known
    of objects that no revision changed.
    """
    recorded = {change.path: as_bytes(change.after) for change in newer.changes}
    if newer.oldest == base.revision + 1:
        everything: dict[str, bytes | None] = dict.fromkeys(sorted(snapshot.paths()))
        recorded = {**everything, **base.documents, **recorded}
    return {path: data for path, data in sorted(recorded.items()) if data != snapshot.data(path)}


def edits_explained(snapshot: Snapshot) -> bool:
    """Return whether `edited` explains the whole difference between the objects that were read and head."""
    value = int(snapshot.digest, 16)
    for path, data in snapshot.edited.items():
        value = replace_document(value, path, snapshot.data(path), data)
    return show_digest(value) == snapshot.head_digest


def recorded_map(snapshot: Snapshot) -> Lunmap | None:
    """Return the map as the revisions have it, without out-of-band edits; None if that is not known."""
    if not edits_explained(snapshot):
        return None
    edits = (Change(path, after=as_raw(data)) for path, data in snapshot.edited.items())
    return patch_map(snapshot.lunmap, edits) if snapshot.edited else snapshot.lunmap


def effective_map(snapshot: Snapshot) -> Lunmap:
    """Return the effective map, which nodes apply and which commits are based on.

    It is the map in the tree, but with the recorded document for each Lun whose out-of-band edit a commit
    would have refused (lunmapd.core.node.out_of_band).
    """
    if not snapshot.edited:
        return snapshot.lunmap
    from lunmapd.core.node.out_of_band import accept_edits  # noqa: PLC0415 - only edits need the rules

    return accept_edits(snapshot.lunmap, snapshot.edited, snapshot.unreadable.keys()).lunmap


def map_with_identities(snapshot: Snapshot) -> Lunmap:
    """Return the map that serials and port ids are taken from.

    It is the effective map, with each Lun that can't be decoded as the revisions have it.
    """
    effective = effective_map(snapshot)
    if not snapshot.edited:
        return effective
    from lunmapd.core.node.out_of_band import recorded_luns  # noqa: PLC0415 - as above

    unreadable = {
        name: lun for name, lun in recorded_luns(snapshot.edited) if f"luns/{name}" in snapshot.unreadable
    }
    return replace(effective, luns={**effective.luns, **unreadable}) if unreadable else effective


def advance(known: Snapshot, head: Head, head_version: int, revisions: Iterable[Revision]) -> Snapshot | None:
    """Return a Snapshot without edits, brought forward by revisions; None if they do not lead to `head`.

    Raises DocumentError.
    """
    changes = [change for revision in revisions for change in revision.changes]
    value = patch_map_digest(int(known.digest, 16), changes)
    if show_digest(value) != head.digest:
        return None
    changed = [change.path for change in changes]
    return replace(
        with_head(known, head, head_version),
        digest=head.digest,
        lunmap=patch_map(known.lunmap, changes),
        unreadable=_without(known.unreadable, changed),
        raw=_without(known.raw, changed),
        versions=_without(known.versions, changed),
    )


def _without(by_path: Mapping[str, _T], removed: Iterable[str]) -> dict[str, _T]:
    # A dict is copied quickly, and none of its entries is visited.
    left = dict(by_path)
    for path in removed:
        left.pop(path, None)
    return left


def with_head(known: Snapshot, head: Head, head_version: int) -> Snapshot:
    """Return a Snapshot with all that head has, and with the objects as they are."""
    return replace(
        known,
        revision=head.revision,
        head_digest=head.digest,
        head_version=head_version,
        confirmed=head.confirmed,
        staged=head.staged,
        allowance=head.allowance,
        ledger=head.ledger,
        rollout=head.rollout,
    )
