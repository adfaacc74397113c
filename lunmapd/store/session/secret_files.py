"""Files that hold secrets: read only if no other user can read or write them."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lunmapd.core.base.password import Secret
from lunmapd.store.session.access_errors import CredentialsError

OWNER_ONLY = 0o077
NOT_OTHERS = 0o027
_MAX_SIZE = 64 * 1024
_ACL_MASK = 0o040


def read_secret(path: Path) -> Secret:
    """Read a password: the first line of a file that only its owner may read. Raises CredentialsError."""
    try:
        text = read_private(path).decode().partition("\n")[0]
    except UnicodeDecodeError:
        raise CredentialsError(path, "it is not UTF-8 text") from None
    if not text:
        raise CredentialsError(path, "its first line is empty: write the password there")
    return Secret(text)


def read_private(path: Path, limit: int = _MAX_SIZE) -> bytes:
    """Read a file of at most `limit` bytes that only its owner may read. Raises CredentialsError."""
    with _opened(path) as descriptor:
        check_owner(path, os.fstat(descriptor), OWNER_ONLY)
        data = os.read(descriptor, limit + 1)
    if len(data) > limit:
        raise CredentialsError(path, f"it is larger than {limit} bytes")
    return data


def check_private(path: Path, forbidden: int) -> None:
    """Check that a file can be opened, and its owner and mode (see `check_owner`).

    Raises CredentialsError.
    """
    with _opened(path) as descriptor:
        check_owner(path, os.fstat(descriptor), forbidden)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialsError(path, (error.strerror or str(error)).lower()) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def check_owner(path: Path, status: os.stat_result, forbidden: int) -> None:
    """Check that a file is a regular file and has none of the `forbidden` mode bits.

    Unless `forbidden` is 0, root or this process's user must own it. A credential of systemd may have the
    group's read bit. Raises CredentialsError.
    """
    if not stat.S_ISREG(status.st_mode):
        raise CredentialsError(path, "it is not a regular file")
    if forbidden and status.st_uid not in {0, os.geteuid()}:
        raise CredentialsError(path, f"it belongs to user {status.st_uid}: chown it to root")
    if status.st_mode & forbidden & ~(_ACL_MASK if is_credential(path) else 0):
        mode = stat.S_IMODE(status.st_mode)
        raise CredentialsError(
            path, f"its mode {mode:04o} gives others access: chmod {mode & ~forbidden:04o} it"
        )


def is_credential(path: Path) -> bool:
    """Return whether a file is a credential that systemd gave this service.

    A service with a user of its own reads root's file by an ACL, whose mask is in the bits of the group
    (systemd: src/core/exec-credential.c; acl(5)). Only the service reaches the directory.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(directory) and path.parent == Path(directory)
