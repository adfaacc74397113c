"""The key file: the keys that seal the secrets in the tree, one in base64 on each line, the current one first.

It is the one file that must not be readable by others, so it is refused, not mended, where it is.
"""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.secrets.sealing import KEY_BYTES, Keyring, key_id, keyring
from lunmapd.files import replace_file
from lunmapd.store.session.access_errors import CredentialsError
from lunmapd.store.session.secret_files import read_private

DEFAULT_KEY_FILE = Path("/etc/lunmapd/secrets.key")
_HEAD = (
    "# Keys of lunmapd's secrets, the current one first. Whoever reads this can read every CHAP password.\n"
)


class KeyFileError(LunmapdError):
    """The key file can't be read or written, or others could have done it; no text of this tells a key."""


def read_keys(path: Path) -> Keyring:
    """Read the key file; an absent one has no keys. Raises KeyFileError for one that can't be read or is not only its owner's."""
    if _is_absent(path):
        return Keyring()
    try:
        data = read_private(path)
    except CredentialsError as error:
        raise KeyFileError(f"{error}; if others had access to it, make a new key") from None
    return keyring(_keys(path, data))


def _is_absent(path: Path) -> bool:
    """Tell whether there is no such file, which is not the same as not being let at it."""
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
    """Put a key first in the key file, which is made if there is none; returns its id.

    Raises KeyFileError; then the file is as it was.
    """
    keys = {key_id(key): key} | dict(read_keys(path).keys)
    text = _HEAD + "".join(f"{base64.b64encode(value).decode()}\n" for value in keys.values())
    try:
        replace_file(path, (text.encode(),))
    except OSError as error:
        raise KeyFileError(f"can't write the key file: {error}") from None
    return key_id(key)
