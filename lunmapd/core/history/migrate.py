"""From the documents of one schema to those of the next."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.lunmap import SECTIONS, Document, Lun, Lunmap, Scope, Shared, reporting_nodes
from lunmapd.core.history.changes import build_map, split_path

if TYPE_CHECKING:
    from lunmapd.core.base.sections import Section


def migrate_to_schema_2(documents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the documents that must change from schema 1 to schema 2: path to the new canonical document.

    A Lun that several nodes report gets an explicit `shared`: schema 1 switched off the commands whose state
    LIO keeps in each node separately, without a field for it. A document that can't be decoded stays as it
    is.
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
