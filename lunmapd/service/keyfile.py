"""The key file: the keys of the secrets in the tree, one in base64 on each line, the current one first.

A key file that others can read is refused; its mode is not corrected, since the keys may be known already.
"""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.secrets.sealing import KEY_BYTES, Keyring, key_id, keyring
from lunmapd.files import replace_named_file, show_os_error
from lunmapd.store.session.access_errors import CredentialsError
from lunmapd.store.session.secret_files import read_private

DEFAULT_KEY_FILE = Path("/etc/lunmapd/secrets.key")
_HEAD = (
    "# Keys of lunmapd's secrets, the current one first. "
    "A reader of this file can read every CHAP password.\n"
)


class KeyFileError(LunmapdError):
    """The key file can't be read or written, or others have access to it; the text never contains a key."""


def read_keys(path: Path) -> Keyring:
    """Read the key file; an absent file has no keys.

    Raises KeyFileError for a file that can't be read, or to which others have access.
    """
    if _is_absent(path):
        return Keyring()
    try:
        data = read_private(path)
    except CredentialsError as error:
        raise KeyFileError(f"{error}; if others had access to it, make a new key") from None
    return keyring(_keys(path, data))


def _is_absent(path: Path) -> bool:
    """Return whether there is no such file; a file without permission to look at it is not absent."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _keys(path: Path, data: bytes) -> Iterator[bytes]:
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyFileError(f"{path}:{number}: not a key: expected {KEY_BYTES} bytes in base64")
        yield key


def add_key(path: Path, key: bytes) -> str:
    """Put a key first in the key file, which is created if it is absent; return the key's id.

    Raises KeyFileError; the file is then unchanged.
    """
    keys = {key_id(key): key} | dict(read_keys(path).keys)
    text = _HEAD + "".join(f"{base64.b64encode(value).decode()}\n" for value in keys.values())
    try:
        replace_named_file(path, (text.encode(),))
    except OSError as error:
        remedy = "" if path.parent.is_dir() else f": make {path.parent}, or name another file"
        raise KeyFileError(f"can't write the key file {show_os_error(path, error)}{remedy}") from None
    return key_id(key)
