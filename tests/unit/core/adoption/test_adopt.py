"""A foreign configuration becomes an equivalent map, or is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from lunmapd.core.adoption.adopt import Adoption, adopt
from lunmapd.core.adoption.complete import complete
from lunmapd.core.adoption.convert import as_ours
from lunmapd.core.adoption.foreign import ForeignAcl, ForeignConfiguration, ForeignMap, ForeignTpg
from lunmapd.core.adoption.in_place import is_in_place
from lunmapd.core.adoption.saveconfig import NotSaveconfigError, read_saveconfig
from lunmapd.core.base.backings import Block, FileIO, Pscsi, RamDisk, User
from lunmapd.core.base.lunmap import Authentication, PortalGroup, Scope, Shared
from lunmapd.core.base.password import Secret
from lunmapd.core.map import rules
from lunmapd.core.node import lio_objects
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import plan
from support.saveconfigs import DISK, FILE, HOST, MEMORY, OTHER, PASSED, PROGRAM, A, B, acl, saved, target
from support.saved_settings import found

NODE = "n1"
BOTH = {0: "block/db1", 7: "fileio/logs"}
CHAP = {"chap_userid": "bob", "chap_password": "a word"}
MUTUAL = CHAP | {"chap_mutual_userid": "san", "chap_mutual_password": "an answer"}
Saved = dict[str, Any]


def adopted(file: Saved) -> Adoption:
    """Adopt a file."""
    return adopt(found(file), NODE)


def usual() -> Saved:
    """Return a file that can be adopted wholly."""
    return saved(target(A, BOTH, acl(HOST, (0, 0), (3, 7)), acl(OTHER, (1, 7))))


def test_a_usual_configuration_becomes_a_map() -> None:
    """Names, serials, numbers, portals and non-default settings are converted, and no rule is broken."""
    made = adopted(usual())
    assert made.refused == {}
    lunmap = made.lunmap
    disk, logs = lunmap.luns["db1"], lunmap.luns["logs"]
    assert (disk.backing, disk.serial) == (Block("/dev/vg0/db1"), DISK["wwn"])
    assert (disk.size, disk.product, disk.attributes) == (None, "db1", {"block_size": 512, "emulate_tpu": 1})
    assert (logs.backing, logs.size, logs.attributes) == (
        FileIO("/srv/logs.img"),
        1 << 30,
        {"block_size": 4096},
    )
    assert logs.shared == Shared(Scope.OFF, Scope.PER_NODE)
    assert [(entry.lun, entry.initiator) for entry in logs.maps] == [(3, HOST), (1, OTHER)]
    assert lunmap.targets[A].attributes == {"login_timeout": 20}
    assert lunmap.targets[A].parameters == {"MaxConnections": "4"}
    assert (lunmap.nodes[NODE].tpg_tag, lunmap.nodes[NODE].portals) == (1, ("0.0.0.0:3260",))
    assert rules.check_map(complete(lunmap, lambda *_: "")) == ()


def test_every_kind_of_storage_object_is_taken_over() -> None:
    """Memory, programs and passed-through devices too."""
    names = {0: "ramdisk/ram", 1: "pscsi/tape", 2: "user/rbd"}
    made = adopted(
        saved(target(A, names, acl(HOST, (0, 0), (1, 1), (2, 2))), storage=(MEMORY, PASSED, PROGRAM))
    )
    assert made.refused == {}
    assert {name: type(lun.backing) for name, lun in made.lunmap.luns.items()} == {
        "ram": RamDisk,
        "tape": Pscsi,
        "rbd": User,
    }


@pytest.mark.parametrize(
    ("credentials", "asks", "expected"),
    [
        (CHAP, 1, Authentication.CHAP),
        (MUTUAL, 1, Authentication.MUTUAL_CHAP),
        (CHAP, 0, Authentication.NONE),
    ],
)
def test_credentials_are_taken_over_without_passwords(
    credentials: Saved, asks: int, expected: Authentication
) -> None:
    """Users are in the map, passwords are not; the target's authentication is unchanged."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0), **credentials)), storage=(DISK,))
    file["targets"][0]["tpgs"][0]["attributes"]["authentication"] = asks
    file["fabric_modules"] = [
        {"name": "loopback"},
        {"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d", "discovery_password": "e"},
    ]
    made = adopted(file)
    initiator, discovery = made.lunmap.initiators[HOST], made.lunmap.nodes[NODE].discovery
    assert made.refused == {}
    assert initiator.chap is not None
    assert (initiator.chap.user, initiator.chap.password) == ("bob", "")
    assert (initiator.mutual_chap is None) == (credentials is CHAP)
    assert discovery is not None
    assert (discovery.chap.user, discovery.mutual_chap) == ("d", None)
    assert made.lunmap.targets[A].authentication is expected
    assert "a word" not in repr(found(file))


def _tpg(file: Saved) -> Saved:
    tpg: Saved = file["targets"][0]["tpgs"][0]
    return tpg


ODD: list[tuple[str, Callable[[Saved], object]]] = [
    ("has 2 enabled TPGs", lambda file: file["targets"][0]["tpgs"].append({"tag": 2})),
    ("TPG 2 has a LUN 4 that TPG 1 has not", lambda file: file["targets"][0]["tpgs"].append({"tag": 2, "enable": False, "luns": [{"index": 4, "storage_object": "/backstores/block/other"}]})),
    ("is disabled", lambda file: _tpg(file).update(enable=False)),
    ("demo mode", lambda file: _tpg(file)["attributes"].update(generate_node_acls=True)),
    ("no portal", lambda file: _tpg(file).update(portals=[])),
    ("mapped to nobody", lambda file: _tpg(file)["node_acls"][0]["mapped_luns"].pop(0)),
    ("has no mapped LUN", lambda file: _tpg(file)["node_acls"].append(acl("iqn.2020-01.x:y"))),
    ("is half-made: delete", lambda file: _tpg(file)["node_acls"][1]["mapped_luns"][0].update(tpg_lun=9)),
    ("several numbers", lambda file: _tpg(file)["node_acls"][0]["mapped_luns"].append({"index": 9, "tpg_lun": 7})),
    ("unknown storage object", lambda file: _tpg(file)["luns"][0].update(storage_object="/backstores/block/gone")),
    ("more than once", lambda file: _tpg(file)["luns"].append({"index": 8, "storage_object": "/backstores/block/db1"})),
    ("write-back cache", lambda file: file["storage_objects"][1].update(write_back=True)),
    ("fileio on the device", lambda file: file["storage_objects"][1].update(dev="/dev/sdb")),
    ("knows no rbd", lambda file: file["storage_objects"][0].update(plugin="rbd") or _tpg(file)["luns"][0].update(storage_object="/backstores/rbd/db1")),
    ("nullio", lambda file: file["storage_objects"][0].update(nullio=True)),
    ("target port groups", lambda file: file["storage_objects"][0]["alua_tpgs"].append({"name": "ao"})),
    ("several storage objects named", lambda file: file["storage_objects"].append(FILE | {"plugin": "block", "name": "db1", "dev": "/dev/x"}) or file["storage_objects"].append(MEMORY | {"name": "db1"})),
    ("mutual CHAP", lambda file: _tpg(file)["node_acls"][0].update(MUTUAL)),
    ("attribute authentication", lambda file: _tpg(file)["node_acls"][0]["attributes"].update(authentication=1)),
    ("is not a serial", lambda file: file["storage_objects"][0].update(wwn="not:so")),
    ("is not an iSCSI name", lambda file: file["targets"][0].update(wwn="iqn.2020-01.a_b:c")),
    ("is not an iSCSI name", lambda file: _tpg(file)["node_acls"][1].update(node_wwn="iqn.2020-01.a_b:c")),
    ("is not a portal", lambda file: _tpg(file)["portals"].append({"ip_address": "224.0.0.1", "port": 3260})),
    ("is not a TPG tag", lambda file: _tpg(file).update(tag=0)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "change"), ODD, ids=[row[0] for row in ODD])
def test_what_no_map_can_say_is_left_out_with_its_reason(
    reason: str, change: Callable[[Saved], object]
) -> None:
    """A target that no map can express completely is left out, with the reason."""
    file = usual()
    change(file)
    made = adopted(file)
    assert any(reason in text for text in made.refused.values()), made.refused
    assert not made.lunmap.targets


GATEWAY = {
    "tag": 2, "enable": False, "attributes": {"tpg_enabled_sendtargets": 0, "generate_node_acls": 1},
    "portals": [{"ip_address": "10.0.0.2", "port": 3260}],
    "luns": [{"index": 0, "storage_object": "/backstores/block/db1"}],
}  # fmt: skip


@pytest.mark.parametrize("place", [0, 1])
def test_the_disabled_tpgs_are_other_gateways(place: int) -> None:
    """ceph-iscsi and gluster-block make a TPG for each gateway: the enabled one is this node's."""
    file = usual()
    _tpg(file)["portals"] = [{"ip_address": "10.0.0.1", "port": 3260}]
    file["targets"][0]["tpgs"].insert(place, GATEWAY)
    made = adopted(file)
    assert made.refused == {}
    assert (made.lunmap.nodes[NODE].tpg_tag, made.lunmap.nodes[NODE].portals) == (1, ("10.0.0.1:3260",))
    (note,) = made.notes
    assert "its disabled TPG 2 (10.0.0.2:3260) shows another gateway" in note


def test_other_gateways_of_the_map_need_only_steps_that_no_session_notices() -> None:
    """With the other gateway in the map, its disabled TPG becomes a remote TPG, and each Lun gets a group."""
    file = usual()
    _tpg(file)["portals"] = [{"ip_address": "10.0.0.1", "port": 3260}]
    file["targets"][0]["tpgs"].append(GATEWAY)
    running = found(file)
    alone = adopt(running, NODE).lunmap
    other = structs.replace(alone.nodes[NODE], tpg_tag=2, portals=("10.0.0.2:3260",))
    both = structs.replace(alone.targets[A], nodes={NODE: PortalGroup(1), "n2": PortalGroup(2)})
    shared = Shared(Scope.OFF, Scope.OFF)
    luns = {name: structs.replace(lun, shared=shared) for name, lun in alone.luns.items()}
    lunmap = structs.replace(alone, nodes={**alone.nodes, "n2": other}, targets={A: both}, luns=luns)
    steps = plan(project_map(lunmap, NODE), as_ours(running, project_map(lunmap, NODE)))
    assert [str(step) for step in steps if not is_in_place(step, project_map(lunmap, NODE))] == []
    assert any(str(step).startswith(f"delete lun {A} 2 db1") for step in steps)
    without = plan(project_map(alone, NODE), as_ours(running, project_map(alone, NODE)))
    blocking = [str(step) for step in without if not is_in_place(step, project_map(alone, NODE))]
    assert f"delete tpg {A} 2: not in the map" in blocking


def test_cached_acls_are_no_demo_mode() -> None:
    """Only generate_node_acls admits initiators without an ACL; the kernel sets the cache with it."""
    file = usual()
    _tpg(file)["attributes"].update(cache_dynamic_acls=1)
    made = adopted(file)
    assert made.refused == {}
    assert "cache_dynamic_acls is 1" in made.notes[0]
    _tpg(file)["attributes"].update(generate_node_acls=1)
    assert adopted(file).notes == ()


def test_sessions_without_acl_are_named() -> None:
    """An initiator that is logged in without an ACL would lose its session with the next boot."""
    running = found(usual())
    (tpg,) = running.tpgs
    made = adopt(structs.replace(running, tpgs=(structs.replace(tpg, dynamic=(HOST,)),)), NODE)
    assert f"{HOST} logged in without an ACL" in made.refused[A]


def test_targets_of_other_fabrics_are_named() -> None:
    """A storage object that another fabric exports too stays with its tool, and so does its iSCSI target."""
    file = saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0))), storage=(DISK, FILE, MEMORY))
    loop = file["targets"][1]
    loop["tpgs"][0]["luns"] = [{"index": 0, "storage_object": "/backstores/fileio/logs"}]
    name = f"loopback {loop['wwn']}"
    made = adopted(file)
    assert made.refused == {
        name: "lunmapd serves iSCSI targets only; this target is left alone",
        "logs": f"this storage object is exported by the target {name} only; it is left alone",
        "ram": "this storage object is exported by no target; it is left alone",
    }
    loop["tpgs"][0]["luns"].append({"index": 1, "storage_object": "/backstores/block/db1"})
    assert f"it shares db1 with {name}, which can't be adopted" in adopted(file).refused[A]


def test_targets_are_judged_one_by_one_and_by_what_they_share() -> None:
    """Targets are adopted independently, unless a tag, passwords or a storage object tie them together."""
    good = target(A, {0: "block/db1"}, acl(HOST, (0, 0)))
    other = target(B, {0: "fileio/logs"}, acl(HOST, (0, 0)))
    assert adopted(saved(good, other)).refused == {}
    assert adopted(saved(good, other | {"tpgs": [other["tpgs"][0] | {"tag": 2}]})).refused.keys() == {
        B,
        "logs",
    } - {"logs"}
    strange = target(B, {0: "fileio/logs"}, acl(HOST, (0, 0), **CHAP))
    assert "other CHAP credentials" in adopted(saved(good, strange)).refused[B]
    sharing = target(B, {0: "block/db1"}, acl(HOST, (0, 0)), enable=False)
    made = adopted(saved(good, sharing))
    assert "it shares db1" in made.refused[A]
    assert made.refused["logs"] == "this storage object is exported by no target; it is left alone"
    assert made.lunmap.targets == {}


def test_portals_of_single_targets_are_kept_apart() -> None:
    """A target with some of the node's portals names them; IPv6 and iSER are known."""
    six = [{"ip_address": "[fd00::1]", "port": 3260, "iser": True}]
    four = [{"ip_address": "10.0.0.1", "port": 3261}]
    one = target(A, {0: "block/db1"}, acl(HOST, (0, 0)), portals=six)
    two = target(B, {0: "fileio/logs"}, acl(HOST, (0, 0)), portals=four)
    lunmap = adopted(saved(one, two)).lunmap
    assert (lunmap.nodes[NODE].portals, lunmap.nodes[NODE].iser_portals) == (
        ("10.0.0.1:3261",),
        ("[fd00::1]:3260",),
    )
    assert lunmap.targets[B].nodes[NODE].portals == ("10.0.0.1:3261",)


@pytest.mark.parametrize("serial", ["1a2b3c4d", DISK["wwn"].upper(), "A-b_9"])
def test_a_serial_is_kept_as_it_is_written(serial: str) -> None:
    """Pacemaker's serials have 8 digits, others are in capitals; initiators see what was written."""
    file = usual()
    file["storage_objects"][0]["wwn"] = serial
    made = adopted(file)
    assert made.refused == {}
    assert made.lunmap.luns["db1"].serial == serial


def test_serials_with_one_wwid_are_named() -> None:
    """Two serials whose hex digits are the same would be one disk to multipath."""
    file = usual()
    for item, serial in zip(file["storage_objects"], ("1a2b3c4d", "1A2B-3C4D"), strict=True):
        item["wwn"] = serial
    made = adopted(file)
    assert "derives the same NAA identifier" in made.refused[A]


_NESTED = (
    b'{"targets": [], "storage_objects": [{"attributes": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}]}"
)
_LONG = (
    b'{"targets": [], "storage_objects": [{"name": "a", "plugin": "fileio", "attributes": {"a": '
    + b"9" * 5000
    + b"}}]}"
)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"version": 1}',
        b'{"storage_objects": 1, "targets": []}',
        b'{"\xff": 1}',
        _NESTED,
        _LONG,
    ],
)
def test_another_file_is_refused(text: bytes) -> None:
    """A file that targetcli did not save is an error."""
    with pytest.raises(NotSaveconfigError, match=r"x\.json is not a saveconfig"):
        read_saveconfig(text, "x.json")


def test_a_file_without_anything_is_an_empty_map() -> None:
    """An empty configuration gives an empty map without messages."""
    assert adopted(saved(storage=())) == Adoption(adopted(saved(storage=())).lunmap, {})


def _running() -> ForeignConfiguration:
    """Return the usual configuration as the kernel shows it."""
    given = found(usual())
    full = {"emulate_3pc": "1", "emulate_caw": "1", "emulate_pr": "1", "emulate_write_cache": "0"}
    storage = {
        key: structs.replace(item, attributes=full | dict(item.attributes))
        for key, item in given.storage.items()
    }
    governed = {
        "authentication": "0", "cache_dynamic_acls": "0", "demo_mode_discovery": "1", "demo_mode_write_protect": "1",
        "generate_node_acls": "0", "prod_mode_write_protect": "0", "tpg_enabled_sendtargets": "1",
    }  # fmt: skip
    tpgs = tuple(
        structs.replace(tpg, attributes=governed | dict(tpg.attributes), port_id=5) for tpg in given.tpgs
    )
    return structs.replace(given, storage=storage, tpgs=tpgs)


def test_what_was_adopted_differs_only_in_what_lunmapd_governs() -> None:
    """Between the map's objects and the adopted ones there is only one update, of the TPG's attributes."""
    running = _running()
    wanted = project_map(adopt(running, NODE).lunmap, NODE, frozenset({"rtpi"}))
    (step,) = plan(wanted, as_ours(running, wanted))
    assert str(step).startswith(f"update tpg {A} 1: attributes")


def test_what_the_map_does_not_have_shows_in_the_plan() -> None:
    """A LUN that the map lacks would be removed, so it is found before the adoption; so are leftovers."""
    running = _running()
    wanted = project_map(adopt(running, NODE).lunmap, NODE, frozenset({"rtpi"}))
    less = {name: item for name, item in wanted.items() if lio_objects.lun_served_by(item) != "logs"}
    known = lio_objects.ChapCredentials("d", Secret("e"))
    odd = ForeignAcl(HOST, maps=(ForeignMap(4, 99),))
    tpg = structs.replace(
        running.tpgs[0],
        luns={**running.tpgs[0].luns, 9: "gone"},
        acls=(*running.tpgs[0].acls, odd),
        enabled=False,
    )
    seen = as_ours(structs.replace(running, discovery=known, tpgs=(tpg, ForeignTpg(B, 1, True))), less)
    steps = [str(step) for step in plan(less, seen)]
    assert any(text.startswith("delete storage_object logs") for text in steps)
    assert any(text.startswith("delete discovery_auth") for text in steps)
    assert any(text.startswith("create enabled") for text in steps)
    assert not any(B in text for text in steps)
