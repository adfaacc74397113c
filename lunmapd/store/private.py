"""Files that hold secrets: read only when nobody else could have read or written them."""

import os
import stat
from pathlib import Path

from lunmapd.core.secrets import Secret
from lunmapd.store.access_errors import CredentialsError

OWNER_ONLY = 0o077
NOT_OTHERS = 0o027


def read_secret(path: Path) -> Secret:
    """Read a password: the first line of a file that only its owner may read. Raises CredentialsError."""
    check_private(path, OWNER_ONLY)
    try:
        text = path.read_text().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(path, _why(error)) from None
    if not text:
        raise CredentialsError(path, "its first line is empty: write the password there")
    return Secret(text)


def check_private(path: Path, forbidden: int) -> None:
    """Refuse a file that can't be read, and if any mode bits are `forbidden`, one that has them or is a stranger's.

    Raises CredentialsError.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
    except OSError as error:
        raise CredentialsError(path, _why(error)) from None
    if forbidden and found.st_uid not in {0, os.geteuid()}:
        raise CredentialsError(path, f"it belongs to user {found.st_uid}: chown it to root")
    if found.st_mode & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        raise CredentialsError(
            path, f"its mode {mode:04o} lets others at it: chmod {mode & ~forbidden:04o} it"
        )


def _why(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror or str(error)).lower()
