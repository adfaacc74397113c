"""Backups on disk: readable by their owner only, and whole or not there."""

from pathlib import Path

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.history import backup
from lunmapd.files import replace_file


class BackupFileError(LunmapdError):
    """The file of a backup can't be written or read."""


def save_backup(path: Path, found: backup.Backup) -> None:
    """Write a backup, in place of the file that there is only when it is on disk. Raises BackupFileError."""
    try:
        replace_file(path, backup.write_backup(found))
    except OSError as error:
        raise BackupFileError(f"can't write the backup: {error}") from error


def load_backup(path: Path) -> backup.Backup:
    """Read a backup. Raises BackupFileError, and BackupError for what is not a whole backup."""
    try:
        with path.open("rb") as file:
            lines = file.readlines()
    except OSError as error:
        raise BackupFileError(f"can't read the backup: {error}") from error
    return backup.read_backup(lines)
