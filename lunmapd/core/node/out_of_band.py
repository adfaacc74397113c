"""Out-of-band edits of Luns that a commit would refuse: nodes and commits use the last committed document."""

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.map.rules import check_changes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure

RecordedDocuments = Mapping[str, bytes | None]
"""Path of each object with an out-of-band edit to its last committed document; None if the revisions have no
such object."""


class EffectiveMap(Struct, frozen=True):
    """The effective map, and the failures of the edits that it leaves out, by `("document", path)`."""

    lunmap: Lunmap
    failures: Mapping[lio_objects.Key, Failure] = {}


def accept_edits(lunmap: Lunmap, edited: RecordedDocuments) -> EffectiveMap:
    """Return `lunmap`, the tree's content, with those out-of-band edits undone that a commit would refuse.

    Each such Lun has its last committed document. A Lun that revisions removed and created again under the
    same name is another Lun, and is not compared with the removed one.
    """
    recorded = dict(recorded_luns(edited))
    refused: dict[str, Failure] = {}
    for problem in check_changes(Lunmap(luns=recorded), lunmap):
        refused.setdefault(str(problem.place[1]), _failure(problem))
    if not refused:
        return EffectiveMap(lunmap)
    luns = {name: recorded[name] if name in refused else lun for name, lun in lunmap.luns.items()}
    failures: dict[lio_objects.Key, Failure] = {
        ("document", f"luns/{name}"): failure for name, failure in refused.items()
    }
    return EffectiveMap(replace(lunmap, luns=luns), failures)


def recorded_luns(edited: RecordedDocuments) -> Iterator[tuple[str, Lun]]:
    """Yield name and last committed document of each Lun that was edited, or is unreadable now."""
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
    what = "out-of-band edit, not applied; nodes keep the last committed value"
    advice = "undo the edit with 'lunmapctl repair'"
    if reason == Reason.SERIAL_IMMUTABLE:
        advice += ", or make a new Lun under another name and remove this one"
    return Failure(reason, f"luns[{name}].{field}: {what}; {problem.message}; {advice}")
