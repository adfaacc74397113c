"""The passwords of a foreign configuration belong to the objects that its map has."""

import pytest

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.passwords import passwords_of
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import CHAP, DISCOVERY_CHAP, MUTUAL, initiator_path, node_path
from support.saveconfigs import DISK, FILE, HOST, A, B, acl, saved, target
from support.saved_settings import NODE, Saved, found

PAIR = {"chap_userid": "bob", "chap_password": "a word"}
MUTUAL_PAIR = PAIR | {"chap_mutual_userid": "san", "chap_mutual_password": "an answer"}
OTHER_WORD = PAIR | {"chap_password": "another word"}


def passwords(file: Saved) -> dict[tuple[str, str], Secret]:
    """Return the passwords for the map of a file."""
    foreign = found(file)
    return passwords_of(foreign, adopt(foreign, NODE).lunmap, NODE)


def test_each_user_of_the_map_has_its_password() -> None:
    """Those of initiators, of targets, and of discovery."""
    asking = target(A, {0: "block/db1"}, acl(HOST, (0, 0), **MUTUAL_PAIR))
    asking["tpgs"][0]["attributes"]["authentication"] = 1
    file = saved(asking, storage=(DISK,))
    file["fabric_modules"] = [
        {"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d", "discovery_password": "e"}
    ]
    assert passwords(file) == {
        (initiator_path(HOST), CHAP): Secret("a word"),
        (initiator_path(HOST), MUTUAL): Secret("an answer"),
        (node_path(NODE), DISCOVERY_CHAP): Secret("e"),
    }


@pytest.mark.parametrize(
    "other",
    [
        [target(B, {0: "fileio/logs"}, acl(HOST, (0, 0), **OTHER_WORD), enable=False)],
        [target(B, {0: "fileio/logs"}, acl(HOST, (0, 0), **OTHER_WORD))],
    ],
)
def test_a_target_that_is_left_alone_gives_no_password(other: list[Saved]) -> None:
    """An initiator may have another password there, which must not be sealed for the targets of the map."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0), **PAIR)), *other, storage=(DISK, FILE))
    assert passwords(file) == {(initiator_path(HOST), CHAP): Secret("a word")}


def test_a_tpg_of_another_gateway_gives_no_password() -> None:
    """A disabled TPG of the same target shows another gateway; its ACLs are not those of this node."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0), **PAIR)), storage=(DISK,))
    file["targets"][0]["tpgs"].append({"tag": 2, "enable": False, "node_acls": [acl(HOST, **OTHER_WORD)]})
    assert passwords(file) == {(initiator_path(HOST), CHAP): Secret("a word")}
