"""From the documents of one schema to those of the next; pure."""

from collections.abc import Mapping

from msgspec import structs

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.lunmap import SECTIONS, Document, Lun, Lunmap, Scope, Section, Shared, reporting_nodes
from lunmapd.core.history.changes import build_map, split_path


def migrate_to_schema_2(documents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the documents of schema 1, by path, that must change for schema 2, in their new canonical form.

    A Lun that several nodes report says so: schema 1 switched off what LIO keeps for each node, without being asked.
    A document that can't be decoded stays as it is.
    """
    lunmap = _decoded(documents)
    return {
        f"luns/{name}": encode(structs.replace(lun, shared=Shared(Scope.OFF, Scope.OFF)))
        for name, lun in lunmap.luns.items()
        if lun.shared is None and _is_shared(lunmap, lun)
    }


def _is_shared(lunmap: Lunmap, lun: Lun) -> bool:
    return len(reporting_nodes(lunmap, lun)) > 1


def _decoded(documents: Mapping[str, bytes]) -> Lunmap:
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    for path, data in documents.items():
        section, name = split_path(path)
        try:
            sections[section][name] = decode(data, SECTIONS[section])
        except DocumentError:
            continue
    return build_map(sections)
