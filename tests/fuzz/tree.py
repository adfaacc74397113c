"""The tree of documents: a map in revisions, out-of-band edits of it, confirmations and overrides."""

import json
from typing import Any

from msgspec.structs import replace

from fuzz import documents
from fuzz.documents import CLUSTER
from fuzz.oracle import Map
from lunmapd.core.base.lunmap import EMPTY_MAP, Lunmap
from lunmapd.core.history.changes import Allowance, Head
from lunmapd.core.history.digest import digest_documents, show_digest
from lunmapd.core.map.rules import check_served
from lunmapd.store.tree.snapshot import Meta, Raw, Snapshot, assemble

_LATER = "2999-01-01T00:00:00Z"
_SCHEMA = 2


class Tree:
    """The documents, and what the newest revision has for them.

    `map` is the map of that revision, `recorded` its bytes, `found` the bytes that are in the tree. Removals
    are confirmed up to the revision `confirmed`. `allows` is the class of disruption that an override allows.
    """

    def __init__(self) -> None:
        """Start with a map without Luns."""
        self.map: Map = documents.first_map()
        self.recorded = _encoded(self.map)
        self.found = dict(self.recorded)
        self.revision, self.confirmed, self.allows = 1, 0, ""

    @property
    def is_edited(self) -> bool:
        """Whether there are out-of-band edits."""
        return self.found != self.recorded

    def commit(self, lunmap: Map) -> None:
        """Make a revision of this map; edits of other objects stay if they keep the rules with it."""
        before, self.recorded = self.recorded, _encoded(lunmap)
        self.map, self.revision, self.allows = lunmap, self.revision + 1, ""
        for path in before.keys() | self.recorded.keys():
            if before.get(path) == self.recorded.get(path):
                continue
            self.found.pop(path, None)
            if path in self.recorded:
                self.found[path] = self.recorded[path]
        if not self.keeps_rules:
            self.repair()

    @property
    def keeps_rules(self) -> bool:
        """Whether the documents that can be read keep the rules of a map together."""
        return not self.is_edited or not check_served(self.snapshot(None).lunmap)

    def override(self, word: str) -> None:
        """Make a revision that allows a class of disruption."""
        self.revision, self.allows = self.revision + 1, word

    def confirm(self) -> None:
        """Make a revision that confirms all removals."""
        self.revision, self.allows = self.revision + 1, ""
        self.confirmed = self.revision

    def repair(self) -> None:
        """Undo all out-of-band edits."""
        self.found = dict(self.recorded)

    def confirmed_map(self, first: int) -> Lunmap | None:
        """Return the map of the confirmation; None if it is older than `first`, the first held revision."""
        if not self.confirmed or self.confirmed < (first or self.revision):
            return None
        return documents.as_lunmap(self.map)

    def snapshot(self, known: Snapshot | None) -> Snapshot:
        """Return what a full read of the tree returns."""
        head = Head(
            self.revision,
            show_digest(digest_documents(self.recorded.items())),
            self.confirmed,
            allowance=Allowance(self.allows, _LATER) if self.allows else None,
        )
        raw = {path: Raw(data, 0) for path, data in sorted(self.found.items())}
        lunmap = EMPTY_MAP if known is None else known.lunmap
        read = assemble(Meta(_SCHEMA, CLUSTER), head, self.revision, raw, lunmap)
        return replace(read, edited=self._edits(), versions={})

    def _edits(self) -> dict[str, bytes | None]:
        paths = sorted(self.found.keys() | self.recorded.keys())
        return {
            path: self.recorded.get(path) for path in paths if self.found.get(path) != self.recorded.get(path)
        }

    def readable(self) -> Map:
        """Return the documents of the tree that are JSON objects."""
        found: dict[str, dict[str, Any]] = {}
        for path, data in self.found.items():
            try:
                document = json.loads(data)
            except (ValueError, RecursionError):
                continue
            if isinstance(document, dict):
                found[path] = document
        return found


def _encoded(lunmap: Map) -> dict[str, bytes]:
    return {path: documents.canonical(path, each) for path, each in lunmap.items()}
