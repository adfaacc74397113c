"""Out-of-band edits in words."""

from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Change, as_raw
from lunmapd.core.history.fields import changed_field_names
from lunmapd.store.tree.snapshot import Snapshot

_MAX_NAMED = 20


def describe_edits(snapshot: Snapshot) -> str:
    """Return how the tree differs from the revisions: `luns/db1 edited (maps), luns/x added`.

    No value is shown.
    """
    descriptions = [_describe(snapshot, path) for path in sorted(snapshot.edited)]
    if not descriptions:
        return "the digest differs from that of head, and the revisions do not show which objects differ"
    return first_of(descriptions, _MAX_NAMED)


def _describe(snapshot: Snapshot, path: str) -> str:
    recorded, data = snapshot.edited[path], snapshot.data(path)
    if recorded is None:
        return f"{path} added"
    if data is None:
        return f"{path} removed"
    names = changed_field_names(Change(path, as_raw(recorded), as_raw(data)))
    return f"{path} edited ({', '.join(names) or 'its spelling'})"
