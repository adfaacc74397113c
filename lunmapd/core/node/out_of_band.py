"""What somebody edited around the tools, and no commit may do to a Lun that stays: nodes and commits go by what the revisions say of it."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.map.rules import change_problems
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure

RecordedDocuments = Mapping[str, bytes | None]
"""What the revisions say of each object that was edited around the tools, by path; None: it should not be."""


class EffectiveMap(Struct, frozen=True):
    """The map to go by, and why it is not in all as the tree has it, by the keys of the documents."""

    lunmap: Lunmap
    failures: Mapping[lio_objects.Key, Failure] = {}


def accept_edits(lunmap: Lunmap, edited: RecordedDocuments) -> EffectiveMap:
    """Return the map in which each Lun is as the revisions have it that was edited in a way that a commit refuses.

    A Lun that was removed and made anew under its name by revisions is another one, and not judged here.
    """
    recorded = dict(recorded_luns(edited))
    refused: dict[str, Failure] = {}
    for problem in change_problems(Lunmap(luns=recorded), lunmap):
        refused.setdefault(str(problem.place[1]), _failure(problem))
    if not refused:
        return EffectiveMap(lunmap)
    luns = {name: recorded[name] if name in refused else lun for name, lun in lunmap.luns.items()}
    failures: dict[lio_objects.Key, Failure] = {
        ("document", f"luns/{name}"): failure for name, failure in refused.items()
    }
    return EffectiveMap(replace(lunmap, luns=luns), failures)


def recorded_luns(edited: RecordedDocuments) -> Iterator[tuple[str, Lun]]:
    """Yield the Luns that were edited, or can't be read any more, as the revisions have them."""
    for path, data in edited.items():
        section, _, name = path.partition("/")
        if section == "luns" and data is not None:
            try:
                yield name, decode(data, Lun)
            except DocumentError:
                continue


def _failure(problem: Problem) -> Failure:
    name, field = problem.place[1:3]
    reason = Reason.SERIAL_IMMUTABLE if field == "serial" else Reason.EDIT_REFUSED
    what = "edited around the tools, which is not followed, the Lun stays as the revisions have it"
    do = "put it back with 'lunmapctl repair'"
    if reason == Reason.SERIAL_IMMUTABLE:
        do += ", or make a new Lun under another name and remove this one"
    return Failure(reason, f"luns[{name}].{field}: {what}; {problem.message}; {do}")
