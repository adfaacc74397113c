"""The laws of sealed secrets."""

from hypothesis import assume, given
from hypothesis import strategies as st

from lunmapd.core.base.password import Secret
from lunmapd.core.secrets.sealing import MalformedError, SecretError, Vault, is_sealed, keyring, sealed_with

KEYS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3, unique=True)
NONCES = st.binary(min_size=12, max_size=12)
VAULT = Vault("c", keyring([b"k" * 32]))


@given(st.text(), KEYS, NONCES, st.text(), st.text())
def test_sealing_is_undone_by_opening(
    text: str, keys: list[bytes], nonce: bytes, path: str, field: str
) -> None:
    """Any text opens again under its place, and its sealed form is one."""
    vault = Vault("c", keyring(keys))
    try:
        sealed = vault.seal(path, field, Secret(text), nonce)
    except UnicodeEncodeError:
        assume(False)
    assert is_sealed(sealed)
    assert vault.open(path, field, sealed) == Secret(text)


@given(st.text() | st.from_regex(r"\Av1:[0-9a-f]{8}:[A-Za-z0-9_-]{36,48}\Z"))
def test_garbage_raises_only_the_secrets_error(text: str) -> None:
    """Any text either opens or raises SecretError, and only sealed texts have a key."""
    try:
        VAULT.open("p", "f", text)
    except SecretError as error:
        assert str(error)
    try:
        assert len(sealed_with(text)) == 8
    except MalformedError:
        return
