"""Backing up, restoring and migrating a tree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.client.files import load_backup, save_backup
from lunmapd.client.propose import staged_commit
from lunmapd.clock import rfc3339
from lunmapd.core.history.migrate import migrate_to_schema_2
from lunmapd.store.commit.leases import keep_leases
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Meta, effective_map
from lunmapd.store.upkeep import backup as store_backup
from lunmapd.store.upkeep import migrate as store_migrate
from lunmapd.store.upkeep import restore as store_restore

if TYPE_CHECKING:
    from pathlib import Path

    from lunmapd.client.committer import Committer
    from lunmapd.client.note import Note
    from lunmapd.core.history.backup import Title
    from lunmapd.core.history.changes import Revision
    from lunmapd.store.session.session import Session


def backup_tree(session: Session, path: Path) -> Title:
    """Write a backup: see `Client.backup`."""
    made = store_backup.take_backup(session, rfc3339(datetime.now(UTC)))
    save_backup(path, made)
    return made.title


def restore(committer: Committer, path: Path, note: Note, replaced: str | None, *, closed: bool) -> Meta:
    """Restore a backup: see `Client.restore`."""
    session = committer.session
    made = store_restore.restore(session, load_backup(path), committer.options(note), replaced, closed=closed)
    now = read_tree(session)
    keep_leases(session, effective_map(now), now.revision)
    return made


def migrate(committer: Committer, note: Note, *, resume: bool) -> Revision | None:
    """Migrate the tree to the current schema: see `Client.migrate`."""
    options = committer.options(replace(note, message=note.message or "migrate to schema 2"))
    staged = staged_commit(committer.session) if resume else None
    if staged is not None:
        return store_migrate.resume_migration(committer.session, staged, migrate_to_schema_2, options)
    return store_migrate.migrate(committer.session, migrate_to_schema_2, options)
