"""AES-256-GCM.

It has a module of its own so that it can be imported late: its library is the largest that lunmapd loads.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NotAuthenticError = InvalidTag


def encrypt(key: bytes, nonce: bytes, text: bytes, place: bytes) -> bytes:
    """Encrypt a text, bound to a place."""
    return AESGCM(key).encrypt(nonce, text, place)


def decrypt(key: bytes, nonce: bytes, data: bytes, place: bytes) -> bytes:
    """Decrypt a text. Raises NotAuthenticError if it was not encrypted with this key for this place."""
    return AESGCM(key).decrypt(nonce, data, place)
