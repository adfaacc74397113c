"""Edits of passwords: one, and those of a table."""

from itertools import count

import pytest
from msgspec.structs import replace

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import Chap, Initiator, Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.edits.errors import DiffersError
from lunmapd.core.edits.passwords import (
    COLUMNS,
    GivenPassword,
    Sealer,
    add_password,
    import_passwords,
    put_password,
    read_password_table,
)
from lunmapd.core.map.credentials import (
    CHAP,
    DISCOVERY_CHAP,
    MUTUAL,
    NoSuchObjectError,
    credentials_at,
    initiator_path,
    node_path,
)
from lunmapd.core.secrets.sealing import UnfitPasswordError, Vault, check_password, keyring
from support.small_map import MAP, H

G, HEAD = "iqn.2026-01.org.example:g", ",".join(COLUMNS)
TWO = replace(MAP, initiators={H: Initiator(), G: Initiator("web")})
ONE, OTHER = (
    GivenPassword(CHAP, "u", Secret("a long password")),
    GivenPassword(CHAP, "u", Secret("another one 16")),
)
EXPECTED = f"expected {','.join(COLUMNS[:3])}, and for mutual CHAP {','.join(COLUMNS[3:])}"
NO_HOST = (
    "the map has no initiator of this name or alias, which is not shown: in a wrong column it could be a "
    "password"
)
_nonces = count(1)


def sealer_of(*keys: int) -> Sealer:
    """Return a sealer with these keys, which never uses a nonce again."""
    vault = Vault("cluster", keyring(bytes([key]) * 32 for key in keys))
    return Sealer(vault, lambda size: next(_nonces).to_bytes(size, "big"))


def passwords(lunmap: Lunmap, path: str, sealer: Sealer) -> dict[str, tuple[str, Secret | None]]:
    """Return user and password of each field of a path."""
    found = credentials_at(lunmap, path).items()
    return {field: (chap.user, sealer.opened(path, field, chap)) for field, chap in found}


def test_a_password_is_put_once() -> None:
    """The same one changes nothing, unless it is sealed with another key than the current one."""
    old, new = sealer_of(1), sealer_of(2, 1)
    once = put_password(TWO, initiator_path(H), ONE, old)
    assert passwords(once, initiator_path(H), old) == {CHAP: ("u", ONE.password)}
    assert put_password(once, initiator_path(H), ONE, old) is once
    again = put_password(once, initiator_path(H), ONE, new)
    assert passwords(again, initiator_path(H), sealer_of(2)) == {CHAP: ("u", ONE.password)}
    assert passwords(again, initiator_path(H), old) == {CHAP: ("u", None)}
    node = put_password(TWO, node_path("n1"), ONE._replace(field=DISCOVERY_CHAP), old)
    assert passwords(node, node_path("n1"), old) == {DISCOVERY_CHAP: ("u", ONE.password)}
    with pytest.raises(NoSuchObjectError, match="lunmapctl host add"):
        put_password(TWO, initiator_path("iqn.2026-01.org.example:none"), ONE, old)


def test_both_directions_have_different_passwords() -> None:
    """One for both is refused."""
    sealer = sealer_of(1)
    once = put_password(TWO, initiator_path(H), ONE, sealer)
    with pytest.raises(UnfitPasswordError, match="must differ"):
        put_password(once, initiator_path(H), ONE._replace(field=MUTUAL), sealer)


def test_a_password_is_added_to_a_host_without_one() -> None:
    """The same one again changes nothing, another one is refused with the verb that sets it."""
    sealer = sealer_of(1)
    once = add_password(TWO, H, ONE, sealer)
    assert passwords(once, initiator_path(H), sealer) == {CHAP: ("u", ONE.password)}
    assert add_password(once, H, ONE, sealer) is once
    for other in (OTHER, ONE._replace(user="v")):
        with pytest.raises(
            DiffersError, match=f"'lunmapctl secret set {H} --user {other.user}' sets a new one"
        ):
            add_password(once, H, other, sealer)
    foreign = replace(TWO, initiators={H: Initiator(chap=Chap("u", "no sealed text"))})
    with pytest.raises(DiffersError):
        add_password(foreign, H, ONE, sealer)


def test_a_table_sets_many_passwords() -> None:
    """With short names, quoted cells and mutual passwords; the second time it changes nothing."""
    text = f'{HEAD.title()}\n\n{H},u,"with, comma"\nweb, v ,a long password,san,another one 16\n'
    table, sealer = read_password_table(text, "t.csv"), sealer_of(1)
    once = import_passwords(TWO, table, sealer)
    assert passwords(once, initiator_path(H), sealer) == {CHAP: ("u", Secret("with, comma"))}
    assert passwords(once, initiator_path(G), sealer) == {
        CHAP: ("v", Secret("a long password")),
        MUTUAL: ("san", Secret("another one 16")),
    }
    assert import_passwords(once, table, sealer) is once
    table = read_password_table(f"{HEAD}\nh,u,x,,", "t.csv")
    assert import_passwords(TWO, table, sealer).initiators[H].mutual_chap is None


def test_all_wrong_lines_are_reported() -> None:
    """In their order, with their columns, and without a user or a password."""
    text = (
        f"{HEAD}\n"
        "h,u,a long password\n"
        "nobody,u,a long password\n"
        "h,u\n"
        '"h,u,x\n'
        "web,se cret,\n"
        f"{H},u,a long password\n"
        "web,u,one,san,p\u00e4ss\n"
        "web,u,secret,san,secret\n"
    )
    unfit = check_password(Secret("p\u00e4ss"))
    with pytest.raises(InvalidInputError) as caught:
        import_passwords(TWO, read_password_table(text, "t.csv"), sealer_of(1))
    assert caught.value.lines == (
        f"t.csv:3: initiator: {NO_HOST} ({EXPECTED})",
        f"t.csv:4: line: it has 2 columns: {EXPECTED}",
        "t.csv:5: line: not CSV: unexpected end of data",
        "t.csv:6: user: not a CHAP user: use ASCII letters without spaces, not starting with NULL",
        "t.csv:6: password: a password has 1 to 255 letters",
        f"t.csv:7: initiators[{H}]: also in t.csv:2: leave one out",
        f"t.csv:8: mutual_password: {unfit}",
        "t.csv:9: initiators[web]: the passwords of the two directions must differ",
    )


@pytest.mark.parametrize(
    "text",
    [
        "initiator,user,password\nTheSecret123,u,h\n",
        "initiator,user,password\nTheSecret123,h,u\n",
        "initiator,user,password\nu,TheSecret123,h\n",
        "initiator,user,password\nh,The Secret123,u\n",
        "initiator,user,password\nh,u,x,TheSecret123\n",
        "initiator,user,password\nh,u,x,san,TheSecret123\n",
        'initiator,user,password\n"TheSecret123,u,h\n',
        "initiator,password,user\nh,TheSecret123,u\n",
        "h,TheSecret123,u\n",
        "h,u,TheSecret123\n",
        "user, Initiator,password\nu,h,TheSecret123\n",
        '"password","initiator","user"\nTheSecret123,h,u\n',
    ],
)
def test_no_cell_in_a_wrong_column_is_shown(text: str) -> None:
    """A table with another order of the columns is refused, and none of its passwords is reported."""
    with pytest.raises(InvalidInputError) as caught:
        import_passwords(TWO, read_password_table(text, "t.csv"), sealer_of(1))
    assert "Secret123" not in str(caught.value) + repr(caught.value.problems)
    assert "t.csv:" in str(caught.value)


def test_a_table_without_the_names_of_its_columns_is_refused() -> None:
    """Nothing else shows that the password is no user: both may be any text. So it is with an empty table."""
    for text in (f"h,{ONE.password.text},u\n", "initiator,password,user\nh,x,u\n", "", "\n"):
        with pytest.raises(InvalidInputError) as caught:
            import_passwords(TWO, read_password_table(text, "t.csv"), sealer_of(1))
        assert caught.value.lines == (f"t.csv:1: line: the first line must name the columns: {EXPECTED}",)
