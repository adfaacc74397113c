"""Documents that other documents refer to: removed out of band, they are missing, not gone.

A commit can't remove a target that Luns are mapped through. If a plain ZooKeeper client removed it, nodes
that followed would close the target everywhere at once.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.lunmap import SECTIONS, Document, Group, Lun, Lunmap, Target, nodes_of
from lunmapd.core.history.changes import build_map, split_path


def restore_needed(
    lunmap: Lunmap, recorded: Mapping[str, bytes | None], unreadable: Collection[str] = ()
) -> tuple[Lunmap, Mapping[str, str]]:
    """Return the map with the recorded documents that it lacks and refers to, and who refers to each.

    `recorded` maps the path of each object with an out-of-band edit to its last committed document. Paths in
    `unreadable` have a document that can't be decoded, so they are not restored. The second value maps the
    path of each restored document to that of a document that refers to it.
    """
    removed = {path for path, data in recorded.items() if data is not None and not _has(lunmap, path)}
    removed.difference_update(unreadable)
    restored: dict[str, str] = {}
    # A restored group refers to initiators, so each round may show that more documents are needed.
    while removed and (needed := _needed(lunmap, removed)):
        lunmap = _with_recorded(lunmap, recorded, needed)
        removed -= needed.keys()
        restored |= {path: by for path, by in needed.items() if _has(lunmap, path)}
    return lunmap, restored


def _has(lunmap: Lunmap, path: str) -> bool:
    section, name = split_path(path)
    return name in lunmap.section(section)


def _needed(lunmap: Lunmap, paths: Collection[str]) -> dict[str, str]:
    """Return those of the paths that a document of the map refers to, each with the path of one that does."""
    needed: dict[str, str] = {}
    for section, name, document in lunmap.documents():
        for path in _references(document):
            if path in paths:
                needed.setdefault(path, f"{section}/{name}")
    return needed


def _references(document: Document) -> Iterator[str]:
    match document:
        case Lun():
            for entry in document.maps:
                yield f"targets/{entry.target}"
                yield f"groups/{entry.group}" if entry.group else f"initiators/{entry.initiator}"
        case Group():
            yield from (f"initiators/{iqn}" for iqn in document.initiators)
        case Target():
            yield from (f"nodes/{node}" for node in sorted(nodes_of(document)))
        case _:
            return


def _with_recorded(lunmap: Lunmap, recorded: Mapping[str, bytes | None], paths: Collection[str]) -> Lunmap:
    sections = {section: dict(lunmap.section(section)) for section in SECTIONS}
    for path in paths:
        section, name = split_path(path)
        with suppress(DocumentError):
            sections[section][name] = decode(recorded[path] or b"", SECTIONS[section])
    return build_map(sections)
