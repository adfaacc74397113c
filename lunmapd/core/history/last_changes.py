"""The revisions that changed fields last, and those whose changes another change would undo. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import UNSET, Raw, Struct, UnsetType

from lunmapd.core.history.changes import Change, Revision, as_bytes
from lunmapd.core.history.fields import changed_field_names, field_values, leaves
from lunmapd.core.history.merge import WHOLE


class LastChange(Struct, frozen=True):
    """The last change of a field of the object at `path`; WHOLE for the object itself.

    `author`, `time` and `revision` are those of the revision that made it.
    """

    path: str
    field: str
    revision: int
    author: str
    time: str


def last_changes(
    wanted: Mapping[str, Collection[str]], newest_first: Iterable[Revision]
) -> tuple[LastChange, ...]:
    """Return the last change of each of the fields, given by the paths of their objects.

    Any change of an object is one of WHOLE. A field that no revision changed is left out.
    """
    pending = {(path, field) for path, fields in wanted.items() for field in fields}
    found: dict[tuple[str, str], LastChange] = {}
    for revision in newest_first:
        if not pending:
            break
        for change in revision.changes:
            names = (*changed_field_names(change), WHOLE) if change.path in wanted else ()
            for key in {(change.path, name) for name in names} & pending:
                found[key] = _last(revision, *key)
                pending.discard(key)
    return tuple(found[key] for key in sorted(found))


def _last(revision: Revision, path: str, field: str) -> LastChange:
    return LastChange(path, field, revision.revision, revision.author, revision.time)


def undone_by(changes: Sequence[Change], newest_first: Iterable[Revision]) -> tuple[LastChange, ...]:
    """Return the last changes of the fields to which `changes` give a value that they had before.

    Members of lists and mappings count for themselves, such as the map of one initiator.

    To remove an object undoes its last change, and so does to add one that a revision removed. The first
    revision led to the map that `changes` start from. A file that somebody made from an older map, and that
    lacks what was committed since, makes such changes.
    """
    search = _Search(changes)
    for revision in newest_first:
        if search.is_done:
            break
        for change in revision.changes:
            search.look(change, revision)
    return search.found()


class _Search:
    """The values whose earlier states are still searched, and what was found."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._wanted = {change.path: _wanted(change) for change in changes}
        self._last: dict[tuple[str, _Leaf], LastChange] = {}
        self._undone: set[tuple[str, _Leaf]] = set()

    @property
    def is_done(self) -> bool:
        """Whether no value is left."""
        return not self._wanted

    def look(self, change: Change, revision: Revision) -> None:
        """Compare the wanted values with those before one change."""
        wanted = self._wanted.get(change.path)
        if wanted is None:
            return
        before, after = _leaves(change.before), _leaves(change.after)
        for leaf in list(wanted):
            if leaf != _OBJECT and before.get(leaf, UNSET) == after.get(leaf, UNSET):
                continue
            key = (change.path, leaf)
            self._last.setdefault(key, _last(revision, change.path, leaf[0]))
            if leaf == _OBJECT or (change.before is not UNSET and before.get(leaf, UNSET) == wanted[leaf]):
                self._undone.add(key)
                del wanted[leaf]
        if change.before is UNSET or not wanted:
            # Before that there was no such object, or another one.
            del self._wanted[change.path]

    def found(self) -> tuple[LastChange, ...]:
        """Return the changes that are undone, by path and field, each once."""
        return tuple(dict.fromkeys(self._last[key] for key in sorted(self._undone)))


_Leaf = tuple[str, ...]
_OBJECT: _Leaf = (WHOLE,)


def _wanted(change: Change) -> dict[_Leaf, object]:
    """Return each changed value as it is after a change; _OBJECT for an object that is added or removed."""
    if change.before is UNSET or change.after is UNSET:
        return {_OBJECT: None}
    before, after = _leaves(change.before), _leaves(change.after)
    return {
        leaf: after.get(leaf, UNSET)
        for leaf in {**before, **after}
        if before.get(leaf, UNSET) != after.get(leaf, UNSET)
    }


def _leaves(document: Raw | UnsetType) -> dict[_Leaf, object]:
    return leaves(field_values(as_bytes(document)))
