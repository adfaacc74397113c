"""Comparing a saveconfig.json with a map, without the node and the tree."""

import pytest
from msgspec import structs

from lunmapd.core.adoption.check import AdoptionCheck, check_files
from lunmapd.core.base.lunmap import Chap, FloatingGroup, Lunmap, Node
from lunmapd.core.map.credentials import change_credentials
from support.saveconfigs import DISK, FILE, HOST, A, B, acl, saved, target
from support.saved_settings import NODE, Saved, adopted, found, item_of, tpg_of, usual

PAIR = {"chap_userid": "bob", "chap_password": "a word"}
MUTUAL = {"chap_mutual_userid": "san", "chap_mutual_password": "an answer"}
SEALED = "v1:00000000:" + "A" * 38


def checked(file: Saved, lunmap: Lunmap) -> AdoptionCheck:
    """Compare a file with a map."""
    return check_files(found(file), lunmap, NODE)


def with_chap() -> Saved:
    """Return a file with CHAP of a target and of discovery."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0), **PAIR, **MUTUAL)), storage=(DISK,))
    tpg_of(file)["attributes"]["authentication"] = 1
    file["fabric_modules"] = [
        {"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d", "discovery_password": "e"}
    ]
    return file


@pytest.mark.parametrize("file", [usual(), usual("fileio"), usual("ramdisk"), usual("user"), with_chap()])
def test_a_file_agrees_with_its_own_map(file: Saved) -> None:
    """Also without passwords and port ids, which one of the files lacks."""
    made = checked(file, adopted(file).lunmap)
    assert (made.blocking, len(made.wanted) > 0) == ((), True)


def test_passwords_of_the_map_are_not_compared() -> None:
    """A sealed password can't be opened here; another user is a difference."""
    file = with_chap()
    lunmap = adopted(file).lunmap
    assert checked(file, change_credentials(lunmap, lambda *_: Chap("eve", SEALED))).blocking != ()
    sealed = change_credentials(lunmap, lambda _path, _field, chap: structs.replace(chap, password=SEALED))
    assert checked(file, sealed).blocking == ()


def test_each_difference_is_named() -> None:
    """Another path, a target that the map lacks, and a reason of adoption."""
    file = saved(
        target(A, {0: "block/db1"}, acl(HOST, (0, 0))), target(B, {0: "fileio/logs"}, acl(HOST, (0, 0)))
    )
    lunmap = adopted(file).lunmap
    item_of(file)["dev"] = "/dev/vg0/other"
    without = {iqn: item for iqn, item in lunmap.targets.items() if iqn != B}
    luns = {"db1": lunmap.luns["db1"]}
    made = checked(file, structs.replace(lunmap, targets=without, luns=luns))
    assert any("storage_object db1" in line for line in made.blocking)
    assert f"target {B}: by the map node n1 does not serve it" in made.blocking
    file["storage_objects"][0] = DISK
    tpg_of(file)["node_acls"][0]["attributes"]["nopin_timeout"] = 5
    (line,) = checked(file, structs.replace(lunmap, targets=without, luns=luns)).blocking[:-1]
    assert line.startswith(f"{A}: ACL of {HOST}: its attribute nopin_timeout")
    assert FILE["name"] not in line


def test_a_broken_map_is_named() -> None:
    """A rule that the map breaks is a difference."""
    file = usual()
    lunmap = adopted(file).lunmap
    broken = {"db1": structs.replace(lunmap.luns["db1"], serial="not:so")}
    made = checked(file, structs.replace(lunmap, luns=broken))
    assert any(line.startswith("document luns/db1: luns[db1].serial") for line in made.blocking)


def test_a_node_that_the_map_lacks_serves_nothing() -> None:
    """Each target of the file is a difference then."""
    file = usual()
    made = check_files(found(file), adopted(file).lunmap, "n9")
    assert made.blocking == (f"target {A}: by the map node n9 does not serve it",)


def test_an_enabled_tpg_may_become_that_of_a_floating_group() -> None:
    """The other tool has the address now; only settings differ, such as what discovery lists."""
    file = usual()
    tpg_of(file)["portals"][0]["ip_address"] = "10.0.0.50"
    lunmap = adopted(file).lunmap
    node = lunmap.nodes[NODE]
    group = FloatingGroup(node.tpg_tag, node.portals, (NODE, "n2"), lunmap.targets[A].nodes[NODE].port_id)
    target = structs.replace(lunmap.targets[A], nodes={}, floating={"gold": group})
    nodes = {NODE: structs.replace(node, tpg_tag=2, portals=()), "n2": Node(3)}
    made = checked(file, structs.replace(lunmap, targets={A: target}, nodes=nodes))
    assert made.blocking == ()
    assert any("tpg_enabled_sendtargets=0" in line for line in made.settings)
