"""Changes of the map as text: objects, and their fields with old and new value."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from lunmapd.client import Allowance, Difference, FieldChange, Lunmap, Revision, differences
from lunmapd.core.base.text import count_of, exact_size
from lunmapd.core.history.fields import ChangeKind
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames, shorten_names
from lunmapd.service.table import Column, Table

_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}


class RevisionReport(Struct, frozen=True, omit_defaults=True):
    """The JSON of a revision in `show` and `log`."""

    revision: int
    time: str
    author: str
    message: str
    digest: str
    changes: tuple[Difference, ...]
    confirms: int = 0
    part: int = 0
    allows: Allowance | None = None
    undoes: int = 0


def revision_report(revision: Revision) -> RevisionReport:
    """Return the JSON form of a revision."""
    return RevisionReport(
        revision.revision,
        revision.time,
        revision.author,
        revision.message,
        revision.digest,
        differences(revision.changes),
        revision.confirms,
        revision.part,
        revision.allows,
        revision.undoes,
    )


def difference_lines(
    changed: Iterable[Difference], *, whole: bool, names: ShortNames = FULL_NAMES
) -> Iterator[str]:
    """Yield a line for each object and changed field, with the maps of a Lun in words.

    Of new and removed objects only the maps are shown, with `whole` all fields. `names` are the short names
    to use.
    """
    for difference in changed:
        yield f"{_SIGNS[difference.kind]} {difference.path}"
        is_whole = whole or difference.kind is ChangeKind.CHANGED
        shown = [field for field in difference.fields if is_whole or field.field == _MAPS]
        yield from (f"    {_field(field)}" for field in shown if field.field != _MAPS)
        yield from (f"    maps: {line}" for line in _map_lines(shown, names))


def names_for_changes(changed: Iterable[Difference], lunmap: Lunmap) -> ShortNames:
    """Return the short names that are unique in a map and in changes, which may be of earlier maps."""
    targets, initiators = set(lunmap.targets), set(lunmap.initiators)
    for difference in changed:
        maps = [field for field in difference.fields if field.field == _MAPS]
        for target, initiator, _ in (
            *_by_host(field.before for field in maps),
            *_by_host(field.after for field in maps),
        ):
            targets.add(target)
            initiators.add(initiator)
    return ShortNames(shorten_names(targets), shorten_names(initiators - {""}))


def change_sum(changed: Iterable[Difference]) -> str:
    """Return how many objects of each section are new, changed and gone: `+200 luns, ~1 node`."""
    counts = Counter((_SIGNS[each.kind], each.path.partition("/")[0]) for each in changed)
    return ", ".join(f"{sign}{count_of(count, section[:-1])}" for (sign, section), count in counts.items())


def _field(change: FieldChange) -> str:
    """Return a change of a field, of a size in its largest unit."""
    if change.field != _SIZE:
        return str(change)
    before, after = (_size(value) for value in (change.before, change.after))
    if before and after:
        return f"{_SIZE}: {before} -> {after}"
    return f"{_SIZE}: + {after}" if after else f"{_SIZE}: - {before}"


def _size(value: object) -> str:
    return exact_size(value) if isinstance(value, int) else ""


_SIZE = "size"
_MAPS = "maps"
_Maps = Mapping[tuple[str, str, str], Mapping[str, Any]]


def _map_lines(fields: Sequence[FieldChange], names: ShortNames) -> Iterator[str]:
    """Yield what changed in the maps of a Lun, as JSON values that are lists or elements of them."""
    maps = [field for field in fields if field.field == _MAPS]
    before, after = (_by_host(field.before for field in maps), _by_host(field.after for field in maps))
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            yield f"+ {_map(new, names)}" if new else f"- {_map(old or {}, names)}"
        elif old.get("lun") != new.get("lun"):
            yield f"{_map(old, names)} -> {_map(new, names)}"
        else:
            yield f"{_map(old, names)} -> {_access(new)}"


def _by_host(values: Iterable[Any]) -> _Maps:
    """Return the maps by target, initiator and group: two of one Lun never have the same."""
    maps = [
        entry
        for value in values
        if value is not UNSET
        for entry in (value if isinstance(value, list) else [value])
    ]
    return {
        (str(entry.get("target")), str(entry.get("initiator", "")), str(entry.get("group", ""))): entry
        for entry in maps
    }


def _map(entry: Mapping[str, Any], names: ShortNames) -> str:
    group = entry.get("group")
    who = f"group {group}" if group else names.initiator(str(entry.get("initiator")))
    return f"{who} LUN {entry.get('lun')} at {names.target(str(entry.get('target')))}, {_access(entry)}"


def _access(entry: Mapping[str, Any]) -> str:
    return str(entry.get("access", "rw"))


def revision_lines(revision: Revision, names: ShortNames = FULL_NAMES) -> Iterator[str]:
    """Yield the lines of one revision with all its changes; `names` are the short names to use."""
    yield f"revision {revision.revision}"
    yield f"time     {show_time(revision.time)}"
    yield f"author   {revision.author}"
    yield from (f"message  {line}" for line in revision.message.splitlines())
    if revision.confirms:
        yield f"confirms removals up to revision {revision.confirms}"
    if revision.allows:
        yield f"allows   {_allowed(revision.allows)}"
    if revision.undoes:
        yield f"undoes   revision {revision.undoes}, which was tried"
    if revision.part:
        yield f"part     {revision.part} of a large commit"
    yield from difference_lines(differences(revision.changes), whole=True, names=names)


def _allowed(allowance: Allowance) -> str:
    luns = f" for {', '.join(allowance.luns)}" if allowance.luns else ""
    where = ", ".join(allowance.nodes) or "all nodes"
    return f"{allowance.disruption}{luns} until {allowance.until} on {where}"


def log_table(revisions: Sequence[Revision]) -> Table:
    """Return a table of revisions."""
    rows = [
        (entry.revision, entry.time, entry.author, _summary(entry), entry.message.partition("\n")[0])
        for entry in revisions
    ]
    columns = (
        Column("REVISION"),
        Column("TIME", show=show_time),
        Column("AUTHOR", cut=True),
        Column("CHANGES", cut=True),
        Column("MESSAGE", cut=True),
    )
    return Table(columns, rows)


def show_time(time: str) -> str:
    """Return an RFC 3339 time without the fraction of its second."""
    return _FRACTION.sub("", time)


_FRACTION = re.compile(r"\.\d+(?=Z$)")


def _summary(revision: Revision) -> str:
    kinds = [difference.kind for difference in differences(revision.changes)]
    counts = [f"{sign}{kinds.count(kind)}" for kind, sign in _SIGNS.items() if kind in kinds]
    if revision.confirms:
        counts.append(f"confirms={revision.confirms}")
    if revision.allows:
        counts.append(f"allows={revision.allows.disruption}")
    if revision.part:
        counts.append(f"part={revision.part}")
    if revision.undoes:
        counts.append(f"undoes={revision.undoes}")
    return " ".join(counts)
