"""Differences between two maps, and the revision that records them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from operator import is_not
from typing import cast

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Document, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.history.digest import replace_document

_RUN = 64
"""The number of documents that are compared in one step."""


class Change(Struct, frozen=True, omit_defaults=True):
    """The change of one object from `before` to `after`: canonical documents, UNSET for an absent object.

    `path` is that of the object, such as `luns/db1`. UNSET is used and not None, since msgspec decodes a `Raw
    | None` only from null.
    """

    path: str
    before: Raw | UnsetType = UNSET
    after: Raw | UnsetType = UNSET


class Allowance(Struct, frozen=True, omit_defaults=True):
    """An override: steps up to a class of disruption are allowed until a time (RFC 3339, UTC).

    `disruption` is a word of plan.Disruption. The override applies to `nodes`; an empty tuple means all
    nodes. If `luns` is not empty, `disruption` is `other-data`, and the override allows only that class and
    only for these Luns.
    """

    disruption: str
    until: str
    nodes: tuple[str, ...] = ()
    luns: tuple[str, ...] = ()


class Revision(Struct, frozen=True, omit_defaults=True):
    """`revisions/<n>`: one commit. `digest` is that of the whole map after it; `time` is RFC 3339 in UTC.

    `confirms` is the newest revision whose removals it confirms, 0 when it confirms none; such a revision may
    change nothing. `allows` is the override that came with it, if any. `part` numbers the parts of a commit
    that was too large for one revision, from 1; 0 is a commit in one piece. Nodes apply it with its last
    part. `undoes` is the revision that was tried and that this one undoes, 0 for none.
    """

    revision: int
    digest: str
    author: str
    time: str
    message: str
    changes: tuple[Change, ...]
    confirms: int = 0
    part: int = 0
    allows: Allowance | None = None
    undoes: int = 0


class Staged(Struct, frozen=True):
    """The tip of a staged commit, with the author, time and message of the commit."""

    revision: int
    digest: str
    author: str
    time: str
    message: str


class Rollout(Struct, frozen=True, omit_defaults=True):
    """A rollout: `revision` is tried, and may be undone by the revision after it.

    `base` is the revision before it, `digest` that of the map at `base`. Until the rollout is released, only
    the nodes named in `first` follow `revision`; none named: all nodes. Unless it is confirmed within
    `seconds`, a node undoes it; 0: there is no deadline. `settled` says that every node had applied `base`
    when it was committed: then undoing it removes nothing but what it added, and needs no confirmation.
    `confirmed` and `allowance` are those of `base`, for the nodes that follow it; head has those of
    `revision`.
    `began` is the Unix time in seconds at which it was committed, by the clock of the servers; a reader of
    the rollout fills it in, in the tree it is 0.
    """

    revision: int
    base: int
    digest: str
    first: tuple[str, ...] = ()
    seconds: int = 0
    settled: bool = False
    confirmed: int = 0
    allowance: Allowance | None = None
    began: float = 0.0

    @property
    def undo(self) -> int:
        """The revision that undoes it, or confirms it."""
        return self.revision + 1

    @property
    def undo_confirms(self) -> int:
        """The revision whose removals are confirmed by undoing it, 0 for none."""
        return self.undo if self.settled else 0

    def waits(self, node: str) -> bool:
        """Return whether a node, "" for none, does not follow the revision yet."""
        return bool(node and self.first) and node not in self.first


class Head(Struct, frozen=True, omit_defaults=True):
    """`head`: the newest revision that nodes follow, and the digest of the whole map at it.

    Removals are confirmed up to the revision `confirmed`. `staged` is there while a large commit is under
    way. `allowance` is the override that this revision brought; the next one ends it, unless it is limited to
    Luns. `ledger` says that the ledger has all revisions: a version that keeps none writes heads without it.
    `rollout` is there while the newest revision is tried.
    """

    revision: int
    digest: str
    confirmed: int = 0
    staged: Staged | None = None
    allowance: Allowance | None = None
    ledger: bool = False
    rollout: Rollout | None = None

    @property
    def tip(self) -> int:
        """The newest revision that the objects in the tree are of, released or not."""
        if self.rollout is not None:
            return self.rollout.revision
        return self.staged.revision if self.staged else self.revision


def split_path(path: str) -> tuple[Section, str]:
    """Split `luns/db1` into section and name. Raises DocumentError for a path outside the map."""
    section, _, name = path.partition("/")
    if section not in SECTIONS or not name:
        raise DocumentError((path,), "not the path of an object of the map")
    return cast("Section", section), name


def diff_maps(before: Lunmap, after: Lunmap) -> tuple[Change, ...]:
    """Return the changes between two maps, ordered by section and name; empty if the maps are equal."""
    return tuple(change for section in SECTIONS for change in _diff_section(section, before, after))


def _diff_section(section: Section, before: Lunmap, after: Lunmap) -> Iterator[Change]:
    for name in sorted(differing_names(before.section(section), after.section(section))):
        yield object_change(section, name, before, after)


def object_change(section: Section, name: str, before: Lunmap, after: Lunmap) -> Change:
    """Return the change of one object between two maps."""
    old, new = before.section(section).get(name), after.section(section).get(name)
    return Change(f"{section}/{name}", as_raw(_encoded(old)), as_raw(_encoded(new)))


def differing_names(before: Mapping[str, Document], after: Mapping[str, Document]) -> set[str]:
    """Return the names whose documents differ between two sections of maps."""
    if before is after:
        return set()
    # A patched map shares its unchanged documents, so that most are found equal by identity. The names are
    # found without a step of Python for each one; nearly always they have the same order too.
    if (names := list(after)) == list(before):
        return _differing_in_order(names, list(before.values()), list(after.values()))
    touched = set(compress(after, map(is_not, map(before.get, after), after.values())))
    if len(before) != len(after) - sum(name not in before for name in touched):
        touched |= before.keys() - after.keys()
    return {name for name in touched if before.get(name) != after.get(name)}


def _differing_in_order(
    names: Sequence[str], before: Sequence[Document], after: Sequence[Document]
) -> set[str]:
    """Return the names whose documents differ; all three have the same order."""
    runs = (slice(start, start + _RUN) for start in range(0, len(names), _RUN))
    return {
        name
        for run in runs
        if before[run] != after[run]
        for name, old, new in zip(names[run], before[run], after[run], strict=True)
        if old != new
    }


def document_at(lunmap: Lunmap, path: str) -> bytes | None:
    """Return the canonical bytes of the object at a path such as `luns/db1`, None if there is none.

    Raises DocumentError for a path outside the map.
    """
    section, name = split_path(path)
    return _encoded(lunmap.section(section).get(name))


def _encoded(document: Document | None) -> bytes | None:
    return None if document is None else encode(document)


def as_raw(data: bytes | None) -> Raw | UnsetType:
    """Wrap a document for a Change."""
    return UNSET if data is None else Raw(data)


def as_bytes(raw: Raw | UnsetType) -> bytes | None:
    """Unwrap a document of a Change."""
    return None if raw is UNSET else bytes(raw)


def patch_map(lunmap: Lunmap, changes: Iterable[Change]) -> Lunmap:
    """Return the map with the changes applied. Raises DocumentError if a document can't be decoded."""
    changed: dict[Section, dict[str, Document]] = {}
    for change in changes:
        section, name = split_path(change.path)
        if section not in changed:
            changed[section] = dict(lunmap.section(section))
        if change.after is UNSET:
            changed[section].pop(name, None)
        else:
            changed[section][name] = decode(bytes(change.after), SECTIONS[section], (section, name))
    return replace(lunmap, **changed)


def readable_change(change: Change) -> Change:
    """Return the change; if its document can't be decoded, the change that removes the object."""
    try:
        patch_map(EMPTY_MAP, (change,))
    except DocumentError:
        return Change(change.path)
    return change


def build_map(sections: dict[Section, dict[str, Document]]) -> Lunmap:
    """Return the Lunmap of these sections: section to name to document."""
    return Lunmap(**cast("dict[str, dict[str, object]]", sections))  # type: ignore[arg-type]


def patch_map_digest(value: int, changes: Iterable[Change]) -> int:
    """Return the digest after the changes, at a cost that depends only on the changes."""
    for change in changes:
        value = replace_document(value, change.path, as_bytes(change.before), as_bytes(change.after))
    return value
