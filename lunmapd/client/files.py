"""Backups on disk: readable by their owner only, and whole or not there."""

from pathlib import Path

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.history import backup
from lunmapd.files import replace_named_file, show_os_error


class BackupFileError(LunmapdError):
    """The file of a backup can't be written or read."""


def save_backup(path: Path, content: backup.Backup) -> None:
    """Write a backup; an existing file is replaced once the new one is on disk. Raises BackupFileError."""
    try:
        replace_named_file(path, backup.write_backup(content))
    except OSError as error:
        raise BackupFileError(f"can't write the backup {show_os_error(path, error)}") from error


def load_backup(path: Path) -> backup.Backup:
    """Read a backup. Raises BackupFileError, and BackupError if the file is not a whole backup."""
    try:
        with path.open("rb") as file:
            lines = file.readlines()
    except OSError as error:
        raise BackupFileError(f"can't read the backup {show_os_error(path, error)}") from error
    return backup.read_backup(lines)
