"""Runs in the machine: reads and changes the files of configfs that hold settings, for other guests."""

import stat
from collections.abc import Iterable
from pathlib import Path

ROOT = Path("/sys/kernel/config/target")


def settings(directories: Iterable[Path]) -> list[Path]:
    """Return the files below the directories that can be read and written, without links."""
    both = stat.S_IRUSR | stat.S_IWUSR
    files = (file for directory in directories for file in sorted(directory.rglob("*")))
    own = (file for file in files if not file.is_symlink() and file.is_file())
    return [file for file in own if file.lstat().st_mode & both == both]


def read(file: Path) -> str:
    """Return the text of a file, "" if the kernel refuses to show it."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def change(file: Path, values: Iterable[str]) -> bool:
    """Give the file another of the values; return False if it takes none."""
    before = read(file)
    return any(value != before and _write(file, value) and read(file) != before for value in values)


def _write(file: Path, value: str) -> bool:
    try:
        file.write_text(value)
    except OSError:
        return False
    return True
