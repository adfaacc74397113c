"""Backups on disk: readable by their owner only, and whole or not there."""

import os
from pathlib import Path

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.history import backup


class BackupFileError(LunmapdError):
    """The file of a backup can't be written or read."""


def save_backup(path: Path, found: backup.Backup) -> None:
    """Write a backup, in place of the file that there is only when it is on disk. Raises BackupFileError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(backup.write(found))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise BackupFileError(f"can't write the backup: {error}") from error


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def load_backup(path: Path) -> backup.Backup:
    """Read a backup. Raises BackupFileError, and BackupError for what is not a whole backup."""
    try:
        with path.open("rb") as file:
            lines = file.readlines()
    except OSError as error:
        raise BackupFileError(f"can't read the backup: {error}") from error
    return backup.read(lines)
