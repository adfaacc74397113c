"""Secrets: sealed, bound to their place, and never shown."""

from itertools import count

import pytest

from lunmapd.core.base.lunmap import Chap, Discovery, Initiator, Lunmap, Node
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import (
    NoFirstPasswordError,
    NoSuchObjectError,
    NotOpenedError,
    all_credentials,
    reseal_all,
    set_credentials,
    with_passwords,
)
from lunmapd.core.map.fill_in import fill_in
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.secrets.sealing import (
    Keyring,
    MalformedError,
    NoKeyError,
    SecretError,
    TamperedError,
    UnknownKeyError,
    Vault,
    check_password,
    is_sealed,
    key_id,
    keyring,
    sealed_with,
    warn_password,
)
from support.valid_map import GOOD, H

OLD, NEW = b"a" * 32, b"b" * 32
NONCE = bytes(range(12))
PATH = f"initiators/{H}"
WORD = Secret("correct horse")
OLD_VAULT, BOTH, NEW_VAULT = (Vault("c1", keyring(keys)) for keys in ([OLD], [NEW, OLD], [NEW]))


def test_what_is_sealed_opens() -> None:
    """A sealed text names its key, and opens where it was sealed, also when another key is current."""
    sealed = OLD_VAULT.seal(PATH, "chap", WORD, NONCE)
    assert is_sealed(sealed)
    assert sealed_with(sealed) == key_id(OLD)
    assert OLD_VAULT.open(PATH, "chap", sealed) == BOTH.open(PATH, "chap", sealed) == WORD


def test_a_known_sealed_text_opens() -> None:
    """The form of sealed texts does not change, for a tree must stay readable."""
    text = "v1:3ba3f5f4:AAECAwQFBgcICQoL1HWWkjXsNrW3pl1EzOXfmGZW3fKqvb-dCX1hPgw"
    assert OLD_VAULT.open(PATH, "chap", text) == WORD
    assert OLD_VAULT.seal(PATH, "chap", WORD, NONCE) == text


@pytest.mark.parametrize(
    ("vault", "path", "field"),
    [
        (Vault("c2", keyring([OLD])), PATH, "chap"),
        (OLD_VAULT, f"{PATH}2", "chap"),
        (OLD_VAULT, PATH, "mutual_chap"),
    ],
)
def test_a_copied_secret_does_not_open(vault: Vault, path: str, field: str) -> None:
    """In another cluster, object or field a sealed text is worth nothing."""
    sealed = OLD_VAULT.seal(PATH, "chap", WORD, NONCE)
    with pytest.raises(TamperedError):
        vault.open(path, field, sealed)


def test_a_changed_text_does_not_open() -> None:
    """Changed ciphertext is tampered with; what has not the form is malformed; a missing key is named."""
    sealed = OLD_VAULT.seal(PATH, "chap", WORD, NONCE)
    with pytest.raises(TamperedError):
        OLD_VAULT.open(PATH, "chap", sealed[:30] + ("A" if sealed[30] != "A" else "B") + sealed[31:])
    for text in ("", "hunter2", sealed.replace("v1", "v2"), f"v1:{key_id(OLD)}:{'A' * 41}"):
        with pytest.raises(MalformedError):
            OLD_VAULT.open(PATH, "chap", text)
    with pytest.raises(UnknownKeyError, match=key_id(OLD)):
        NEW_VAULT.open(PATH, "chap", sealed)
    with pytest.raises(NoKeyError, match="new-key"):
        Vault("c1").seal(PATH, "chap", WORD, NONCE)


def test_secrets_and_keys_do_not_show_themselves() -> None:
    """Neither a password nor a key appears in any way of printing them, nor in the error about them."""
    shown = [f"{item!r}{item!s}{item}{item.__rich_repr__()}" for item in (WORD, BOTH.keyring, BOTH)]
    sealed = OLD_VAULT.seal(PATH, "chap", WORD, NONCE)
    with pytest.raises(SecretError) as caught:
        NEW_VAULT.open(PATH, "chap", sealed)
    for text in (*shown, str(caught.value)):
        assert WORD.text not in text
        assert "aaaa" not in text
        assert "bbbb" not in text
    assert key_id(NEW) in repr(BOTH.keyring)
    assert Keyring().ids == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("twelve chars", None),
        ("", "1 to 255"),
        ("x" * 256, "1 to 255"),
        ("pässword", "ASCII"),
        ("a\nb", "control"),
        (" ab", "spaces"),
        ("NULLabc", "NULL"),
    ],
)
def test_passwords_that_lio_keeps(text: str, sentence: str | None) -> None:
    """A password that LIO would not keep as it is gets a sentence, which does not quote it."""
    found = check_password(Secret(text))
    assert (found is None) if sentence is None else (found is not None and sentence in found)


def test_short_and_long_passwords_are_warned_of() -> None:
    """Twelve to sixteen letters suit everyone."""
    assert warn_password(Secret("x" * 12)) is None
    assert "12 to 16" in str(warn_password(Secret("x" * 11)))
    assert "12 to 16" in str(warn_password(Secret("x" * 17)))


def sealed_map() -> Lunmap:
    """Return a map with every kind of credentials, sealed with the old key."""
    numbers = count()

    def chap(path: str, field: str) -> Chap:
        sealed = OLD_VAULT.seal(path, field, Secret(f"password {field}"), next(numbers).to_bytes(12))
        return Chap("bob", sealed)

    lunmap = parse_map(GOOD)[0]
    initiator = Initiator("", chap(PATH, "chap"), chap(PATH, "mutual_chap"))
    discovery = Discovery(chap("nodes/n1", "discovery.chap"), chap("nodes/n1", "discovery.mutual_chap"))
    other = Discovery(chap("nodes/n2", "discovery.chap"))
    nodes = {"n1": Node(1, discovery=discovery), "n2": Node(2, discovery=other), "n3": Node(3)}
    initiators = {H: initiator, f"{H}2": Initiator(), f"{H}3": Initiator(chap=chap(f"{PATH}3", "chap"))}
    return Lunmap(lunmap.luns, lunmap.targets, initiators, {}, nodes)


def test_rotation_seals_everything_anew() -> None:
    """After a rotation every secret opens with the new key alone; a second one has nothing to do."""
    before = sealed_map()
    nonces = count(100)
    after = reseal_all(before, BOTH, lambda size: next(nonces).to_bytes(size))
    opened = [NEW_VAULT.open(path, field, chap.password) for path, field, chap in all_credentials(after)]
    assert opened == [
        OLD_VAULT.open(path, field, chap.password) for path, field, chap in all_credentials(before)
    ]
    assert len(opened) == 6
    assert reseal_all(after, BOTH, lambda _: b"") == after


def test_rotation_needs_every_old_key() -> None:
    """A secret that can't be opened stops the rotation, so that none is lost."""
    with pytest.raises(NotOpenedError, match=f"{PATH}, chap: .* key {key_id(OLD)}"):
        reseal_all(sealed_map(), NEW_VAULT, lambda size: b"0" * size)


def test_a_file_may_leave_passwords_out() -> None:
    """Passwords that a file does not give are those that there are; a place that had none stays empty."""
    before = sealed_map()
    bare = Initiator("new", Chap("alice"), Chap("x", "v1:given"))
    after = Lunmap({}, {}, {H: bare, "new": Initiator("", Chap("carol"))}, {}, before.nodes)
    kept = with_passwords(after, before)
    assert fill_in(after, before, lambda: "") == kept
    known = before.initiators[H].chap
    assert known is not None
    assert kept.initiators[H] == Initiator("new", Chap("alice", known.password), Chap("x", "v1:given"))
    assert kept.initiators["new"].chap == Chap("carol")
    assert kept.nodes == before.nodes


CHAP = Chap("new", "v1:x")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (PATH, "chap"),
        (PATH, "mutual_chap"),
        ("nodes/n1", "discovery.chap"),
        ("nodes/n2", "discovery.mutual_chap"),
        ("nodes/n3", "discovery.chap"),
    ],
)
def test_credentials_are_put_and_taken(path: str, field: str) -> None:
    """Putting credentials changes that place alone, and taking them leaves none there."""
    before = sealed_map()
    after = set_credentials(before, path, field, CHAP)
    assert [chap for where, name, chap in all_credentials(after) if (where, name) == (path, field)] == [CHAP]
    others = [entry for entry in all_credentials(before) if entry[:2] != (path, field)]
    assert [entry for entry in all_credentials(after) if entry[:2] != (path, field)] == others
    assert (path, field) not in [
        entry[:2] for entry in all_credentials(set_credentials(after, path, field, None))
    ]


def test_credentials_need_an_object() -> None:
    """An object that the map lacks gets no credentials, and mutual ones need a first password."""
    with pytest.raises(NoSuchObjectError, match="nodes/n9"):
        set_credentials(sealed_map(), "nodes/n9", "discovery.chap", CHAP)
    with pytest.raises(NoFirstPasswordError, match="nodes/n3"):
        set_credentials(sealed_map(), "nodes/n3", "discovery.mutual_chap", CHAP)
    assert set_credentials(sealed_map(), "nodes/n3", "discovery.mutual_chap", None) == sealed_map()
