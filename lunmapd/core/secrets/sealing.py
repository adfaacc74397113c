"""Secrets in the tree: sealed texts, each bound to its place and opened with a key of the key file.

A sealed text is `v1:<key id>:<base64url of nonce and ciphertext>`, AES-256-GCM (NIST SP 800-38D) with a nonce
of 96 bits. The additional data are cluster, path and field, so a copy at another place can't be opened.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from lunmapd.core.base import names
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.password import Secret

KEY_BYTES = 32
NONCE_BYTES = 12
_ID_DIGITS = 8
_SEALED = re.compile(r"v1:([0-9a-f]{8}):([A-Za-z0-9_-]{38,})")
_MIN_SAFE, _MAX_PORTABLE = 12, 16


class SecretError(LunmapdError):
    """Root of the errors of sealing and opening; their texts never contain the secret."""


class NoKeyError(SecretError):
    """There is no key to seal with."""

    def __init__(self) -> None:
        super().__init__(
            "there is no key: make one with 'lunmapctl secret new-key', or name the file in 'key_file'"
        )


class UnknownKeyError(SecretError):
    """A secret is sealed with a key that the keyring lacks; `key` is its id."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"the secret is sealed with key {key}, which is not in this machine's key file")


class TamperedError(SecretError):
    """A sealed text can't be opened with its key: it was changed, or copied from another place."""

    def __init__(self) -> None:
        super().__init__("the sealed text was changed, or copied from elsewhere: set the secret again")


class MalformedError(SecretError):
    """The text has not the form of a sealed text."""

    def __init__(self) -> None:
        super().__init__("this is not a sealed text: set the secret with 'lunmapctl secret set'")


class UnfitPasswordError(SecretError):
    """A password that LIO can't store, or that gives no protection; the text says why."""


class Keyring(Struct, frozen=True):
    """Keys of 32 bytes by their id, the current one first; its repr has only the ids."""

    keys: Mapping[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.keys)})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("ids", self.ids)]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, the current one first."""
        return tuple(self.keys)

    @property
    def current(self) -> str:
        """The id of the key for sealing. Raises NoKeyError."""
        if not self.keys:
            raise NoKeyError
        return self.ids[0]


class SecretOpener(Protocol):
    """What gives a node the passwords of the map."""

    def open(self, path: str, field: str, sealed: str) -> Secret:
        """Return the password of a sealed text at a place of the map. Raises SecretError."""


class Vault(Struct, frozen=True):
    """Seals and opens the secrets of the cluster with this uuid. A `path` is such as `initiators/<iqn>`."""

    cluster: str
    keyring: Keyring = Keyring()

    def seal(self, path: str, field: str, secret: Secret, nonce: bytes) -> str:
        """Seal with the current key. `nonce` is 12 random bytes, never used twice. Raises NoKeyError."""
        from lunmapd.core.secrets import aes  # noqa: PLC0415 - as for `open`

        key = self.keyring.current
        data = aes.encrypt(self.keyring.keys[key], nonce, secret.text.encode(), self._place(path, field))
        return f"v1:{key}:{base64.urlsafe_b64encode(nonce + data).decode().rstrip('=')}"

    def open(self, path: str, field: str, sealed: str) -> Secret:
        """Open a sealed text. Raises MalformedError, UnknownKeyError, TamperedError."""
        from lunmapd.core.secrets import aes  # noqa: PLC0415 - 4 MB, which a node without secrets keeps

        key, data = _parts(sealed)
        if key not in self.keyring.keys:
            raise UnknownKeyError(key)
        nonce, rest = data[:NONCE_BYTES], data[NONCE_BYTES:]
        try:
            return Secret(aes.decrypt(self.keyring.keys[key], nonce, rest, self._place(path, field)).decode())
        except (aes.NotAuthenticError, UnicodeDecodeError):
            raise TamperedError from None

    def _place(self, path: str, field: str) -> bytes:
        return f"{self.cluster}\0{path}\0{field}".encode()


def key_id(key: bytes) -> str:
    """Return the id of a key: the first digits of its SHA-256, which do not reveal it."""
    return hashlib.sha256(key).hexdigest()[:_ID_DIGITS]


def keyring(keys: Iterable[bytes]) -> Keyring:
    """Return a Keyring of these keys, the current one first."""
    return Keyring({key_id(key): key for key in keys})


def is_sealed(text: str) -> bool:
    """Return whether a text has the form of a sealed text."""
    return _SEALED.fullmatch(text) is not None


def sealed_with(sealed: str) -> str:
    """Return the id of the key of a sealed text. Raises MalformedError."""
    return _parts(sealed)[0]


def _parts(sealed: str) -> tuple[str, bytes]:
    match = _SEALED.fullmatch(sealed)
    if match is None:
        raise MalformedError
    padded = match[2] + "=" * (-len(match[2]) % 4)
    try:
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error:
        raise MalformedError from None
    return match[1], data


def check_password(secret: Secret) -> str | None:
    """Return None for a password that LIO can store, otherwise a sentence, which does not quote it.

    A value that starts with NULL clears LIO's field (drivers/target/iscsi/iscsi_target_configfs.c).
    """
    text = secret.text
    if not all(" " <= letter <= "~" for letter in text) or text != text.strip():
        return "a password must be ASCII without control characters, and without spaces at its ends"
    if not 0 < len(text) <= names.MAX_CHAP:
        return f"a password has 1 to {names.MAX_CHAP} letters"
    return "LIO can't store a password that starts with NULL" if text.startswith("NULL") else None


def warn_password(secret: Secret) -> str | None:
    """Return a warning about a length that is unsafe or that some initiators refuse, None for any other."""
    if _MIN_SAFE <= len(secret.text) <= _MAX_PORTABLE:
        return None
    return (
        f"a CHAP password should have {_MIN_SAFE} to {_MAX_PORTABLE} letters: shorter ones can be guessed, "
        "and some initiators refuse others"
    )
