"""What real configurations have: each is carried into the map, is a note, or is a reason with a remedy."""

from collections.abc import Callable
from enum import StrEnum

import pytest

from support.saveconfigs import DISK, FILE, HOST, OTHER, A, B, acl, saved, target
from support.saved_settings import Saved, acl_of, adopted, item_of, tpg_of, usual


class Outcome(StrEnum):
    """What becomes of a target: it is in the map, in the map beside a note, or left alone with a reason."""

    CARRIED = "carried"
    NAMED = "named"
    REFUSED = "refused"


CHAP = {"chap_userid": "bob", "chap_password": "a word"}
MUTUAL = CHAP | {"chap_mutual_userid": "san", "chap_mutual_password": "an answer"}
GATEWAY = {
    "tag": 2, "enable": False, "attributes": {"tpg_enabled_sendtargets": 0},
    "portals": [{"ip_address": "10.0.0.2", "port": 3260}], "luns": [{"index": 0, "storage_object": "/backstores/block/db1"}],
}  # fmt: skip
C, N, R = Outcome.CARRIED, Outcome.NAMED, Outcome.REFUSED


def _chap(file: Saved, asked: int, *credentials: Saved) -> None:
    tpg_of(file)["attributes"]["authentication"] = asked
    tpg_of(file)["node_acls"] = [
        acl(name, (0, 0), **each) for name, each in zip((HOST, OTHER), credentials, strict=False)
    ]


def _other_fabric(file: Saved, *names: str) -> None:
    luns = [{"index": n, "storage_object": f"/backstores/{name}"} for n, name in enumerate(names)]
    file["targets"][1]["tpgs"][0]["luns"] = luns
    file["storage_objects"].append(FILE)


def _group(file: Saved) -> None:
    item_of(file)["alua_tpgs"].append({"name": "ao", "tg_pt_gp_id": 1})
    tpg_of(file)["luns"][0]["alua_tg_pt_gp_name"] = "ao"


def _renamed(file: Saved, name: str) -> None:
    item_of(file)["name"] = name
    tpg_of(file)["luns"][0]["storage_object"] = f"/backstores/block/{name}"


def _without_size(file: Saved) -> None:
    item_of(file).update(plugin="fileio", size=0)
    tpg_of(file)["luns"][0]["storage_object"] = "/backstores/fileio/db1"


CASES: list[tuple[str, Outcome, str, Callable[[Saved], object]]] = [
    ("an untouched file of targetcli", C, "", lambda file: file),
    ("readonly", C, "", lambda file: item_of(file).update(readonly=True)),
    ("ACL dataout_timeout", R, "set it to '3' first", lambda file: acl_of(file)["attributes"].update(dataout_timeout=5)),
    ("ACL tag", N, "the tags of its ACLs (web)", lambda file: acl_of(file).update(tag="web")),
    ("aio", R, "aio=false", lambda file: item_of(file).update(aio=True)),
    ("exclusive", R, "exclusive=true", lambda file: item_of(file).update(exclusive=False)),
    ("state of default_tg_pt_gp", R, "alua_access_state", lambda file: item_of(file)["alua_tpgs"][0].update(alua_access_state=1)),
    ("offload", R, "set offload=false", lambda file: tpg_of(file)["portals"][0].update(offload=True)),
    ("cmd_completion_affinity", R, "cmd_completion_affinity", lambda file: file["targets"][0].update(parameters={"cmd_completion_affinity": "2"})),
    ("queue_depth", C, "", lambda file: item_of(file)["attributes"].update(queue_depth=64)),
    ("discovery without a password", R, "give it both", lambda file: file.update(fabric_modules=[{"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d"}])),
    ("portal [::0]", C, "", lambda file: tpg_of(file)["portals"][0].update(ip_address="[::0]")),
    ("portal ::0", C, "", lambda file: tpg_of(file)["portals"][0].update(ip_address="::0")),
    ("portal [2001:0DB8:0:0::1]", C, "", lambda file: tpg_of(file)["portals"][0].update(ip_address="[2001:0DB8:0:0::1]")),
    ("portal [::ffff:10.0.0.1]", R, "write 10.0.0.1:3260", lambda file: tpg_of(file)["portals"][0].update(ip_address="[::ffff:10.0.0.1]")),
    ("serial of 8 digits", C, "", lambda file: item_of(file).update(wwn="1a2b3c4d")),
    ("serial in capitals", C, "", lambda file: item_of(file).update(wwn=DISK["wwn"].upper())),
    ("serial without hex digits", R, "is not a serial", lambda file: item_of(file).update(wwn="xyz")),
    ("CHAP, not required", C, "", lambda file: _chap(file, 0, CHAP)),
    ("mutual CHAP, not required", R, "set authentication=1", lambda file: _chap(file, 0, MUTUAL)),
    ("mutual CHAP of some initiators", R, "mutual CHAP for each", lambda file: _chap(file, 1, CHAP, MUTUAL)),
    ("CHAP of no initiator", R, "give its ACL a user", lambda file: _chap(file, 1, {})),
    ("one LUN under two numbers", R, "delete all its mapped LUNs of that LUN but one", lambda file: tpg_of(file).update(node_acls=[acl(HOST, (0, 0), (1, 0))])),
    ("an ACL with the TPG's setting for CHAP", C, "", lambda file: acl_of(file)["attributes"].update(authentication=0)),
    ("an ACL with another setting for CHAP", R, "set its attribute authentication to -1", lambda file: acl_of(file)["attributes"].update(authentication=1)),
    ("another fabric, other storage", C, "", lambda file: _other_fabric(file, "fileio/logs")),
    ("another fabric, the same storage", R, "it shares db1 with loopback", lambda file: _other_fabric(file, "block/db1")),
    ("a name of 18 letters", C, "", lambda file: _renamed(file, "udisks_test_iscsi2")),
    ("a TPG for each gateway", N, "its disabled TPG 2", lambda file: file["targets"][0]["tpgs"].append(GATEWAY)),
    ("two enabled TPGs", R, "disable the others", lambda file: file["targets"][0]["tpgs"].append(GATEWAY | {"enable": True})),
    ("target port groups", R, "rmdir", _group),
    ("cache_dynamic_acls", N, "can log in once more", lambda file: tpg_of(file)["attributes"].update(cache_dynamic_acls=1)),
    ("demo mode", R, "set generate_node_acls=0; sessions stay", lambda file: tpg_of(file)["attributes"].update(generate_node_acls=1, cache_dynamic_acls=1)),
    ("no tag", C, "", lambda file: tpg_of(file).pop("tag")),
    ("port as text", C, "", lambda file: tpg_of(file)["portals"][0].update(port="3260")),
    ("enable: 1", C, "", lambda file: tpg_of(file).update(enable=1)),
    ("alua_tpgs: null", C, "", lambda file: item_of(file).update(alua_tpgs=None)),
    ("a portal without port", N, "has no port: targetctl skips it", lambda file: tpg_of(file)["portals"].append({"ip_address": "10.0.0.1"})),
    ("a storage object without name", N, "has no name: targetctl skips it", lambda file: file["storage_objects"].append({"plugin": "block", "dev": "/dev/x"})),
    ("wwn: null", C, "", lambda file: item_of(file).update(wwn=None)),
    ("month 00", C, "", lambda file: file["targets"][0].update(wwn="iqn.2022-00.org.example:a")),
    ("a write-back cache of a block device", C, "", lambda file: item_of(file).update(write_back=True)),
    ("a fileio of 0 bytes", R, "write the size", _without_size),
    ("a name in capitals", C, "", lambda file: file["targets"][0].update(wwn=A.upper())),
]  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "words", "change"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_each_is_carried_or_named(outcome: Outcome, words: str, change: Callable[[Saved], object]) -> None:
    """A target in the map lost nothing without a note; any other has a reason that says what to do."""
    file = usual()
    change(file)
    made = adopted(file)
    reasons = {name: text for name, text in made.refused.items() if name.startswith("iqn.")}
    found = Outcome.REFUSED if reasons else Outcome.NAMED if made.notes else Outcome.CARRIED
    assert (found, bool(made.lunmap.targets)) == (outcome, outcome is not Outcome.REFUSED)
    assert all(words in text for text in (*reasons.values(), *made.notes))


def test_one_bad_target_does_not_keep_others() -> None:
    """A file with a good and a bad target gives the map of the good one, and all reasons of the other."""
    bad = target(B, {0: "fileio/logs"}, acl(HOST, (0, 0)), enable=False, portals=[])
    made = adopted(saved(target(A, {0: "block/db1"}, acl(HOST, (0, 0))), bad))
    assert list(made.lunmap.targets) == [A]
    assert all(words in made.refused[B] for words in ("is disabled", "has no portal"))
