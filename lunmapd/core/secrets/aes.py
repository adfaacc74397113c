"""AES-256-GCM, apart from what needs it now and then: the library behind it is the largest of all that lunmapd loads."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NotAuthenticError = InvalidTag


def encrypt(key: bytes, nonce: bytes, text: bytes, place: bytes) -> bytes:
    """Encrypt, bound to a place."""
    return AESGCM(key).encrypt(nonce, text, place)


def decrypt(key: bytes, nonce: bytes, data: bytes, place: bytes) -> bytes:
    """Decrypt. Raises NotAuthenticError for what was not sealed with this key for this place."""
    return AESGCM(key).decrypt(nonce, data, place)
