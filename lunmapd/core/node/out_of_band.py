"""Out-of-band edits that a commit would refuse: nodes and commits use the last committed document."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import Problem, show_place
from lunmapd.core.base.lunmap import SECTIONS, Document, Lun, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.history.changes import build_map, split_path
from lunmapd.core.map.rules import check_changes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.needed_documents import restore_needed

if TYPE_CHECKING:
    from lunmapd.core.base.sections import Section

RecordedDocuments = Mapping[str, bytes | None]
"""Path of each object with an out-of-band edit to its last committed document; None if the revisions have no
such object."""


class EffectiveMap(Struct, frozen=True):
    """The effective map, and the failures of the edits that it leaves out, by `("document", path)`."""

    lunmap: Lunmap
    failures: Mapping[lio_objects.Key, Failure] = {}


def accept_edits(lunmap: Lunmap, edited: RecordedDocuments, unreadable: Collection[str] = ()) -> EffectiveMap:
    """Return `lunmap`, the tree's content, with those out-of-band edits undone that a commit would refuse.

    Each such Lun or node has its last committed document, and so has a removed document that others refer to.
    `unreadable` are the paths of the documents that can't be decoded; they are not removed. A Lun that
    revisions removed and created again under the same name is another Lun, and is not compared with the
    removed one.
    """
    lunmap, restored = restore_needed(lunmap, edited, unreadable)
    recorded = _recorded_map(lunmap, edited)
    refused = {path: _removal(path, restored[path]) for path in sorted(restored)}
    # A document that is undone may give a Lun another path again: the documents of Luns and nodes depend on
    # each other. Each round undoes documents that differ from the recorded ones, so the rounds end.
    while problems := check_changes(recorded, lunmap):
        paths = {f"{problem.place[0]}/{problem.place[1]}": problem for problem in reversed(problems)}
        refused |= {path: _failure(paths[path]) for path in sorted(paths)}
        lunmap = _with_documents(lunmap, recorded, paths)
    failures: dict[lio_objects.Key, Failure] = {
        ("document", path): failure for path, failure in refused.items()
    }
    return EffectiveMap(lunmap, failures)


def _recorded_map(lunmap: Lunmap, edited: RecordedDocuments) -> Lunmap:
    """Return the part of the map, before its out-of-band edits, that the edits are compared with.

    These are the edited Luns, and all Luns if nodes are edited. Edited objects without a readable document in
    the revisions are left out.
    """
    sections: dict[Section, dict[str, Document]] = {
        section: dict(lunmap.section(section)) for section in ("targets", "nodes")
    }
    edits_nodes = any(path.startswith("nodes/") for path in edited)
    sections["luns"] = dict(lunmap.luns) if edits_nodes else {}
    for path, data in edited.items():
        section, name = split_path(path)
        documents = sections.setdefault(section, {})
        documents.pop(name, None)
        if data is not None:
            with suppress(DocumentError):
                documents[name] = decode(data, SECTIONS[section])
    return build_map(sections)


def _with_documents(lunmap: Lunmap, recorded: Lunmap, paths: Iterable[str]) -> Lunmap:
    """Return the map with the recorded documents at these paths."""
    luns, nodes = dict(lunmap.luns), dict(lunmap.nodes)
    for section, name in map(split_path, paths):
        if section == "luns":
            luns[name] = recorded.luns[name]
        else:
            nodes[name] = recorded.nodes[name]
    return replace(lunmap, luns=luns, nodes=nodes)


def recorded_luns(edited: RecordedDocuments) -> Iterator[tuple[str, Lun]]:
    """Yield name and last committed document of each Lun that was edited, or is unreadable now."""
    for path, data in edited.items():
        section, _, name = path.partition("/")
        if section == "luns" and data is not None:
            try:
                yield name, decode(data, Lun)
            except DocumentError:
                continue


def _removal(path: str, by: str) -> Failure:
    return Failure(
        Reason.EDIT_REFUSED,
        f"{path}: removed out of band, not applied, since {by} refers to it; nodes keep the last committed "
        "document; put it back with 'lunmapctl repair', or remove what refers to it too",
    )


def _failure(problem: Problem) -> Failure:
    reason = Reason.SERIAL_IMMUTABLE if problem.place[2] == "serial" else Reason.EDIT_REFUSED
    what = "out-of-band edit, not applied; nodes keep the last committed value"
    advice = "undo the edit with 'lunmapctl repair'"
    if reason == Reason.SERIAL_IMMUTABLE:
        advice += ", or make a new Lun under another name and remove this one"
    return Failure(reason, f"{show_place(problem.place)}: {what}; {problem.message}; {advice}")
