"""What was changed around the tools, in words."""

from lunmapd.core.history.changes import Change, as_raw
from lunmapd.core.history.fields import changed_field_names
from lunmapd.store.tree.snapshot import Snapshot

_MAX_NAMED = 20


def describe_edits(snapshot: Snapshot) -> str:
    """Say what the tree has and the revisions don't: `luns/db1 edited (maps), luns/x added`. No value is shown."""
    found = [_describe(snapshot, path) for path in sorted(snapshot.edited)]
    if not found:
        return "the digest is not that of head, and the revisions don't tell which objects differ"
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return ", ".join(found[:_MAX_NAMED]) + more


def _describe(snapshot: Snapshot, path: str) -> str:
    recorded, found = snapshot.edited[path], snapshot.data(path)
    if recorded is None:
        return f"{path} added"
    if found is None:
        return f"{path} removed"
    names = changed_field_names(Change(path, as_raw(recorded), as_raw(found)))
    return f"{path} edited ({', '.join(names) or 'its spelling'})"
