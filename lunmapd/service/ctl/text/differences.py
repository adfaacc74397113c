"""Changes of the map as text: objects, and their fields with old and new value."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import UNSET, Struct

from lunmapd.client import Allowance, Difference, FieldChange, Revision, differences
from lunmapd.core.history.fields import ChangeKind
from lunmapd.service.table import table

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
    )


def difference_lines(changed: Iterable[Difference], *, whole: bool) -> Iterator[str]:
    """Yield a line for each object and changed field; with `whole` also fields of new or removed objects."""
    for difference in changed:
        yield f"{_SIGNS[difference.kind]} {difference.path}"
        if whole or difference.kind is ChangeKind.CHANGED:
            yield from (f"    {_field_line(field)}" for field in difference.fields)


def _field_line(change: FieldChange) -> str:
    if change.before is UNSET:
        return f"{change.field}: + {_value(change.after)}"
    if change.after is UNSET:
        return f"{change.field}: - {_value(change.before)}"
    return f"{change.field}: {_value(change.before)} -> {_value(change.after)}"


def _value(value: object) -> str:
    return msgspec.json.encode(value).decode()


def revision_lines(revision: Revision) -> Iterator[str]:
    """Yield the lines of one revision with all its changes."""
    yield f"revision {revision.revision}"
    yield f"time     {revision.time}"
    yield f"author   {revision.author}"
    yield from (f"message  {line}" for line in revision.message.splitlines())
    if revision.confirms:
        yield f"confirms removals up to revision {revision.confirms}"
    if revision.allows:
        yield f"allows   {_allowed(revision.allows)}"
    if revision.part:
        yield f"part     {revision.part} of a large commit"
    yield from difference_lines(differences(revision.changes), whole=True)


def _allowed(allowance: Allowance) -> str:
    luns = f" for {', '.join(allowance.luns)}" if allowance.luns else ""
    where = ", ".join(allowance.nodes) or "all nodes"
    return f"{allowance.disruption}{luns} until {allowance.until} on {where}"


def log_table(revisions: Sequence[Revision]) -> list[str]:
    """Return a table of revisions."""
    rows = [
        (entry.revision, entry.time, entry.author, _summary(entry), entry.message.partition("\n")[0] or "-")
        for entry in revisions
    ]
    return table(("REVISION", "TIME", "AUTHOR", "CHANGES", "MESSAGE"), rows)


def _summary(revision: Revision) -> str:
    kinds = [difference.kind for difference in differences(revision.changes)]
    counts = [f"{sign}{kinds.count(kind)}" for kind, sign in _SIGNS.items() if kind in kinds]
    if revision.confirms:
        counts.append(f"confirms={revision.confirms}")
    if revision.allows:
        counts.append(f"allows={revision.allows.disruption}")
    if revision.part:
        counts.append(f"part={revision.part}")
    return " ".join(counts) or "-"
