"""The local snapshot: the last effective map, on the node's disk so that it survives a restart.

The file is a journal: the whole map first, then one line for the changes that each read brought. So a write
costs what the change costs. Secrets are sealed in the map itself, and only root can read the file.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.state.journal import Journal, JournalDamagedError
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.events import Event
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, patch_map, patch_map_digest
from lunmapd.core.history.digest import show_digest
from lunmapd.core.history.map_change import MapChange, change_between, record_changes
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

SNAPSHOT_FILE = "map.journal"
SNAPSHOT_FORMAT = 1
TOUCH_EVERY = 600  # seconds; by how much the age of the snapshot may be overestimated
_SPARE = 64 * 1024  # bytes; a journal with fewer bytes of changes is not compacted


class SnapshotDamagedError(LunmapdError):
    """The local snapshot can't be used."""


class Base(Struct, frozen=True, tag="base"):
    """The whole map.

    `seen` is the Unix time at which it was last known to be the newest. `held` is as in KeptSnapshot.
    """

    format: int
    snapshot: Snapshot
    seen: int
    held: int = 0


class Advance(Struct, frozen=True, tag="advance"):
    """The changes since the line before; `snapshot` is the one after them, with an empty map."""

    snapshot: Snapshot
    changes: tuple[Change, ...]
    seen: int


class StillNewest(Struct, frozen=True, tag="seen"):
    """The map was still the newest at this Unix time."""

    seen: int


class HeldRevision(Struct, frozen=True, tag="held"):
    """Passes are held from this revision on; 0: no longer."""

    revision: int


class KeptSnapshot(Struct, frozen=True):
    """The content of the file.

    `seen` is the Unix time at which the map was last known to be the newest. `held` is the first revision
    that waits for a confirmation, 0 if none does.
    """

    snapshot: Snapshot
    seen: int
    held: int = 0


Entry = Advance | StillNewest | HeldRevision


def replay_journal(contents: Sequence[bytes]) -> KeptSnapshot:
    """Return the snapshot after all lines of the journal. Raises SnapshotDamagedError."""
    try:
        base = decode(contents[0], Base)
        if base.format != SNAPSHOT_FORMAT:
            raise SnapshotDamagedError(f"it has format {base.format}, this version knows {SNAPSHOT_FORMAT}")
        entries: list[Entry] = [decode(content, Entry) for content in contents[1:]]  # type: ignore[arg-type]
        return KeptSnapshot(_snapshot(base.snapshot, entries), _seen(base, entries), _held(base, entries))
    except DocumentError as error:
        raise SnapshotDamagedError(str(error)) from error


def _snapshot(base: Snapshot, entries: Sequence[Entry]) -> Snapshot:
    advances = [entry for entry in entries if isinstance(entry, Advance)]
    if not advances:
        return base
    last = advances[-1].snapshot
    changes = [change for entry in advances for change in entry.changes]
    if show_digest(patch_map_digest(int(base.digest, 16), changes)) != last.digest:
        raise SnapshotDamagedError("its changes don't lead to its digest")
    return replace(last, lunmap=patch_map(base.lunmap, changes))


def _seen(base: Base, entries: Sequence[Entry]) -> int:
    return [base.seen, *(entry.seen for entry in entries if not isinstance(entry, HeldRevision))][-1]


def _held(base: Base, entries: Sequence[Entry]) -> int:
    return [base.held, *(entry.revision for entry in entries if isinstance(entry, HeldRevision))][-1]


def load_kept(directory: Path) -> KeptSnapshot | None:
    """Return the local snapshot in a directory, None if there is none that can be used; writes nothing."""
    try:
        contents = Journal(directory / SNAPSHOT_FILE).read()
        return replay_journal(contents) if contents else None
    except (OSError, JournalDamagedError, SnapshotDamagedError):
        return None


def is_lost(directory: Path) -> bool:
    """Return whether a directory holds a local snapshot, usable or not, or one renamed as damaged."""
    return any((directory / name).exists() for name in (SNAPSHOT_FILE, f"{SNAPSHOT_FILE}.damaged"))


class LocalSnapshot:
    """The local snapshot in a file of `directory`; `now` is a Unix clock, in seconds.

    A write does not raise, because following the map matters more. `problem` is the error of the disk, "" if
    the file is complete. After an error the file stays as it was, and the next write writes the whole map.
    """

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        """Prepare; nothing is read or written yet."""
        self._path = directory / SNAPSHOT_FILE
        self._journal = Journal(self._path)
        self._now = now
        self._kept: KeptSnapshot | None = None
        self._whole = False
        self._base_size = 0
        self.problem = ""

    def load(self) -> KeptSnapshot | None:
        """Return the content of the file, None if there is none.

        Raises SnapshotDamagedError; then the file is renamed, so that a person can find out what happened to
        it.
        """
        try:
            contents = self._journal.read()
            self._kept = replay_journal(contents) if contents else None
        except OSError as error:
            raise SnapshotDamagedError(f"the local snapshot can't be read: {error}") from error
        except (JournalDamagedError, SnapshotDamagedError) as error:
            raise SnapshotDamagedError(
                f"the local snapshot is damaged: {error}; it was put aside as {self._put_aside()}"
            ) from error
        self._whole = self._kept is not None
        self._base_size = len(contents[0]) if contents else 0
        return self._kept

    @property
    def is_lost(self) -> bool:
        """Whether the file was damaged at this or an earlier start, and no map has been stored since."""
        return self._kept is None and (self._path.exists() or self._aside.exists())

    @property
    def _aside(self) -> Path:
        return self._path.with_name(self._path.name + ".damaged")

    def _put_aside(self) -> Path:
        try:
            self._path.replace(self._aside)
        except OSError:
            return self._path
        return self._aside

    def keep(self, snapshot: Snapshot, change: MapChange | None = None) -> None:
        """Store a snapshot that was just read; `change` is that from the map before, if it is known."""
        now, before = int(self._now()), self._kept
        # Only a commit needs the versions of znodes, and a node makes none.
        snapshot = replace(snapshot, versions={})
        self._kept = KeptSnapshot(snapshot, now, 0 if before is None else before.held)
        if before is None or before.snapshot.raw or snapshot.raw:
            self._begin()
        else:
            changes = record_changes(change_between(before.snapshot.lunmap, snapshot.lunmap, change))
            self._add(Advance(replace(snapshot, lunmap=Lunmap()), changes, now))

    def touch(self, limit: float) -> None:
        """Store that the map is still the newest, if the stored time is too old or in the future.

        Too old is older than TOUCH_EVERY, or than a third of `limit`: the age in seconds up to which the
        snapshot may be followed, 0 for never.
        """
        now, every = int(self._now()), min(TOUCH_EVERY, limit / 3 if limit else TOUCH_EVERY)
        if self._kept is not None and not (self._whole and 0 <= now - self._kept.seen < every):
            self._kept = replace(self._kept, seen=now)
            self._add(StillNewest(now))

    def hold(self, revision: int) -> None:
        """Store the first revision that waits for a confirmation, 0 if none does any more."""
        if self._kept is not None and self._kept.held != revision:
            self._kept = replace(self._kept, held=revision)
            self._add(HeldRevision(revision))

    def tidy(self) -> None:
        """Compact the journal once its changes are larger than the map.

        It takes time: call it between cycles.
        """
        if self._whole and self._journal.size > 2 * self._base_size + _SPARE:
            self._begin()

    def _add(self, entry: Entry) -> None:
        if self._whole:
            self._write(self._journal.append, entry)
        else:
            self._begin()

    def _begin(self) -> None:
        assert self._kept is not None, "only a stored snapshot is written"
        kept = self._kept
        self._write(self._journal.replace, Base(SNAPSHOT_FORMAT, kept.snapshot, kept.seen, kept.held))
        self._base_size = self._journal.size

    def _write(self, how: Callable[[bytes], None], entry: Base | Entry) -> None:
        kind = entry.__struct_config__.tag
        try:
            how(encode(entry))
            self._whole, self.problem = True, ""
            trace(_log, Event.SNAPSHOT_WRITTEN, entry=kind, size=self._journal.size)
        except OSError as error:
            trace(_log, Event.SNAPSHOT_FAILED, entry=kind, reason=error)
            self._whole = False
            self.problem = (
                f"can't keep the map in {self._path}: {error}; it is followed, but would not survive a "
                "restart"
            )
