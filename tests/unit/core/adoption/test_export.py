"""The way out: the file of a node leads back to its part of the map."""

import json

import pytest
from msgspec import structs

from lunmapd.core.adoption.adopt import adopt
from lunmapd.core.adoption.export import Exported, export_saveconfig
from lunmapd.core.adoption.saveconfig import read_saveconfig, saved_targets
from lunmapd.core.base.lunmap import AluaState, Chap, Lunmap, Node, NodeState, PortalGroup, Scope, Shared
from lunmapd.core.base.password import Secret
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.node.projection.chap import add_credentials
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault, keyring
from support.saveconfigs import DISK, FILE, HOST, MEMORY, OTHER, PASSED, PROGRAM, A, B, acl, saved, target
from support.saved_settings import NODE, adopted, tpg_of

VAULT = Vault("c", keyring([b"k" * 32]))
PAIR = {"chap_userid": "bob", "chap_password": "a word", "chap_mutual_userid": "san", "chap_mutual_password": "an answer"}  # fmt: skip


def whole() -> Lunmap:
    """Return a map with each kind of backing, CHAP, a read-only map and settings."""
    names = {0: "block/db1", 1: "fileio/logs", 2: "ramdisk/ram", 3: "pscsi/tape", 4: "user/rbd"}
    maps = [(number, number) for number in names]
    file = saved(
        target(A, names, acl(HOST, *maps, **PAIR), acl(OTHER, (9, 1), **PAIR)),
        storage=(DISK, FILE, MEMORY, PASSED, PROGRAM),
    )
    tpg_of(file)["attributes"]["authentication"] = 1
    tpg_of(file)["node_acls"][1]["mapped_luns"][0]["write_protect"] = True
    tpg_of(file)["portals"] = [
        {"ip_address": "[fd00::1]", "port": 3260, "iser": True},
        {"ip_address": "10.0.0.1", "port": 3261},
    ]
    file["fabric_modules"] = [
        {"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d", "discovery_password": "e"}
    ]
    made = adopted(file)
    assert made.refused == {}
    lunmap = made.lunmap
    luns = {name: structs.replace(lun, serial=lun.serial or "5" * 32) for name, lun in lunmap.luns.items()}
    return change_credentials(structs.replace(lunmap, luns=luns), sealed)


def sealed(path: str, field: str, chap: Chap) -> Chap:
    """Return the credentials with the user's password."""
    return Chap(chap.user, VAULT.seal(path, field, Secret(f"password of {chap.user}"), bytes(NONCE_BYTES)))


def exported(lunmap: Lunmap, *, secrets: bool = True) -> Exported:
    """Export the node's part of a map."""
    objects = project_map(lunmap, NODE)
    return export_saveconfig(add_credentials(objects, {}, lunmap, NODE, VAULT)[0] if secrets else objects)


def back(made: Exported) -> Lunmap:
    """Adopt an exported file."""
    again = adopt(read_saveconfig(json.dumps(made.content).encode(), "saveconfig.json"), NODE)
    assert again.refused == {}
    return again.lunmap


def test_the_exported_file_leads_back_to_the_map() -> None:
    """Each backing, size, serial, number, access, portal, attribute, parameter and CHAP user is kept."""
    lunmap = whole()
    made = exported(lunmap)
    assert made.losses == ()
    blank = change_credentials(lunmap, lambda _path, _field, chap: Chap(chap.user))
    luns = {**blank.luns, "tape": structs.replace(blank.luns["tape"], serial="")}
    assert back(made) == structs.replace(blank, luns=luns)
    assert "password of bob" in json.dumps(made.content)
    assert "password" not in repr(made)


def test_the_exported_targets_are_not_marked() -> None:
    """With lunmapd's mark, lunmapd would take the restored targets for its own."""
    text = json.dumps(exported(whole()).content).encode()
    assert [(each.iqn, each.marked) for each in saved_targets(text, "x")] == [(A, False)]


def test_without_secrets_there_is_no_password() -> None:
    """Users are left out too: LIO refuses a login with half a pair."""
    made = exported(whole(), secrets=False)
    assert "chap" not in json.dumps(made.content)
    assert made.content["fabric_modules"] == [{"name": "iscsi", "discovery_enable_auth": True}]


def test_other_nodes_are_disabled_tpgs() -> None:
    """Groups and remote TPGs are exported, since hosts know them; the TPG of a drained node is disabled."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0))), storage=(DISK,))
    tpg_of(file)["portals"] = [{"ip_address": "10.0.0.1", "port": 3260}]
    lunmap = adopted(file).lunmap
    lun = structs.replace(
        lunmap.luns["db1"], shared=Shared(Scope.OFF, Scope.OFF), preferred="n2", others=AluaState.STANDBY
    )
    nodes = {**lunmap.nodes, "n2": Node(2, ("10.0.0.2:3260",))}
    both = structs.replace(lunmap.targets[A], nodes={NODE: PortalGroup(1), "n2": PortalGroup(2)})
    lunmap = structs.replace(lunmap, nodes=nodes, luns={"db1": lun}, targets={A: both})
    content = exported(lunmap).content
    own, other = content["targets"][0]["tpgs"]
    (group,) = content["storage_objects"][0]["alua_tpgs"]
    assert (own["enable"], other["enable"], other["luns"]) == (True, False, [])
    assert other["attributes"]["tpg_enabled_sendtargets"] == 0
    assert (own["luns"][0]["alua_tg_pt_gp_name"], group["tg_pt_gp_id"], group["alua_access_state"]) == (
        "lunmapd",
        1,
        2,
    )
    drained = structs.replace(nodes[NODE], state=NodeState.DRAINED)
    content = exported(structs.replace(lunmap, nodes={**nodes, NODE: drained})).content
    assert [tpg["enable"] for tpg in content["targets"][0]["tpgs"]] == [False, False]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"vendor": "ACME"}, "db1: its vendor 'ACME': hosts see 'LIO-ORG'"),
        ({"product": "other"}, "db1: its product 'other': hosts see 'IBLOCK'"),
    ],
)
def test_what_the_format_cannot_express_is_named(fields: dict[str, str], sentence: str) -> None:
    """A saveconfig.json has no vendor, and no product but the name."""
    file = saved(
        target(A, {0: "block/db1"}, acl(HOST, (0, 0))), target(B, {0: "fileio/logs"}, acl(HOST, (0, 0)))
    )
    lunmap = adopted(file).lunmap
    luns = {**lunmap.luns, "db1": structs.replace(lunmap.luns["db1"], **fields)}
    assert exported(structs.replace(lunmap, luns=luns)).losses == (sentence,)


def test_a_node_that_the_map_lacks_has_nothing() -> None:
    """The file is empty, not absent: restoring it clears LIO."""
    assert export_saveconfig({}).content["targets"] == []
