"""ceph-iscsi's gateway.conf as a map."""

from typing import Any

import msgspec
import pytest

from lunmapd.core.base.backings import Block, User
from lunmapd.core.base.lunmap import Authentication, Chap, Discovery, Map, PortalGroup
from lunmapd.core.conversion.ceph_document import CephAuth
from lunmapd.core.conversion.ceph_iscsi import convert_ceph_iscsi
from lunmapd.core.conversion.conversion import (
    Choices,
    Conversion,
    NotConvertibleError,
    RemarkKind,
    SourceText,
)
from lunmapd.core.conversion.formats import open_problems
from support.foreign_files import ENCRYPTED, H1, H2, IQN, PASSWORD, WWN, ceph_auth, ceph_document

LUN = "rbd.disk_1"


def converted(document: dict[str, Any], **choices: Any) -> Conversion:
    """Return the conversion of a document."""
    return convert_ceph_iscsi(
        SourceText("gateway.conf", msgspec.json.encode(document).decode()), Choices(**choices)
    )


def lost(conversion: Conversion) -> list[str]:
    """Return the texts of what is lost, with their places."""
    return [f"{each.place}: {each.text}" for each in conversion.remarks if each.kind is RemarkKind.LOST]


@pytest.mark.parametrize("version", range(1, 12))
def test_each_version_of_the_document_is_read(version: int) -> None:
    """All versions of one configuration give the same Lun, nodes, target and users; 1 and 2 no group."""
    conversion = converted(ceph_document(version), sizes={LUN: 1 << 30})
    lunmap = conversion.lunmap
    assert open_problems(lunmap) == ()
    lun = lunmap.luns[LUN]
    assert (lun.serial, lun.backing) == (WWN, User("rbd/rbd/disk_1;osd_op_timeout=30"))
    assert lun.attributes == {"qfull_time_out": 18}
    grouped = (Map(IQN, 3, group="g"),)
    assert lun.maps == ((Map(IQN, 3, H1), Map(IQN, 3, H2)) if version < 3 else grouped)
    assert {name: (node.tpg_tag, node.portals) for name, node in lunmap.nodes.items()} == {
        "gw1": (1, ("10.0.0.11:3260",)),
        "gw2": (2, ("10.0.0.12:3260",)),
    }
    target = lunmap.targets[IQN]
    assert target.authentication is Authentication.CHAP
    assert target.parameters["ImmediateData"] == "No"
    assert target.parameters["MaxBurstLength"] == "524288"
    assert "InitialR2T" not in target.parameters
    assert lunmap.initiators[H1].chap == Chap("alice")
    assert {secret.text for secret in conversion.passwords.values()} == {PASSWORD}
    assert PASSWORD not in repr(conversion)


@pytest.mark.parametrize("version", [0, 12])
def test_another_version_is_refused(version: int) -> None:
    """A version that is not known is refused, and so is a file of another form."""
    with pytest.raises(NotConvertibleError, match=f"version {version}"):
        converted(ceph_document(11) | {"version": version})
    with pytest.raises(NotConvertibleError, match=r"is not a gateway\.conf"):
        converted({"version": "x"})
    with pytest.raises(NotConvertibleError, match=r"is not a gateway\.conf"):
        converted(ceph_document(3) | {"gateways": {"iqn": IQN, "gw1": {"portal_ip_address": []}}})
    with pytest.raises(NotConvertibleError, match=r"is not a gateway\.conf"):
        converted(ceph_document(3) | {"gateways": {"iqn": IQN, "ip_list": None}})


def test_a_control_without_a_value_has_the_default() -> None:
    """None and an empty text reset a control in ceph-iscsi; a text where a number belongs counts as none."""
    document = ceph_document(11)
    document["targets"][IQN]["controls"] = {
        "immediate_data": None,
        "cmdsn_depth": "",
        "max_burst_length": "1024",
    }
    document["disks"]["rbd/disk_1"]["controls"] = {"qfull_timeout": "x", "osd_op_timeout": None}
    lunmap = converted(document).lunmap
    target, lun = lunmap.targets[IQN], lunmap.luns[LUN]
    assert target.attributes == {"default_cmdsn_depth": 128}
    assert target.parameters["MaxBurstLength"] == "1024"
    assert "ImmediateData" not in target.parameters
    assert (lun.backing, lun.attributes) == (User("rbd/rbd/disk_1;osd_op_timeout=30"), {"qfull_time_out": 5})


@pytest.mark.parametrize("text", [False, "no", "No", 0, "0", "FALSE"])
def test_each_word_for_no_is_read(text: object) -> None:
    """ceph-iscsi takes true, yes and 1, and their opposites, in any case."""
    document = ceph_document(11)
    document["targets"][IQN]["controls"] = {"immediate_data": text}
    assert converted(document).lunmap.targets[IQN].parameters["ImmediateData"] == "No"


def test_a_document_without_a_target_has_none() -> None:
    """Before the first target is made there is nothing to convert."""
    assert converted({"version": 3}).lunmap.targets == {}


@pytest.mark.parametrize("version", [7, 11])
def test_an_encrypted_password_is_named_and_not_taken(version: int) -> None:
    """A password that only the gateways' key opens is lost; up to version 7 more than 16 letters are one."""
    document = ceph_document(version)
    auth = {"chap": f"alice/{ENCRYPTED}"} if version < 8 else ceph_auth("alice", ENCRYPTED, encrypted=True)
    document["targets"][IQN]["clients"][H1]["auth"] = auth
    conversion = converted(document)
    assert any(f"clients.{H1}.auth: the password of user alice" in text for text in lost(conversion))
    assert ENCRYPTED not in str(conversion.remarks)
    assert conversion.lunmap.initiators[H1].chap == Chap("alice")
    assert len(conversion.passwords) == 1


def test_the_owner_is_preferred_only_by_block_luns() -> None:
    """A tcmu Lun can't have a preferred node, and needs a size; with krbd the device has both."""
    document = ceph_document(11)
    document["disks"]["rbd/disk_1"]["owner"] = "gw2.example.org"
    plain, krbd = converted(document), converted(document, krbd=True)
    assert plain.lunmap.luns[LUN].preferred == ""
    assert [text for text in lost(plain) if "its owner gw2.example.org" in text or "its size" in text] != []
    lun = krbd.lunmap.luns[LUN]
    assert (lun.backing, lun.preferred, lun.product) == (Block("/dev/rbd/rbd/disk_1"), "gw2", "TCMU device")
    assert open_problems(krbd.lunmap) == ()
    assert any("COMPARE AND WRITE" in text for text in lost(krbd))
    assert any("its control qfull_timeout" in text for text in lost(krbd))


def test_a_disk_that_nobody_sees_is_left_out() -> None:
    """A disk without an initiator, or of another backstore, is named and not in the map."""
    document = ceph_document(11)
    document["disks"]["rbd/free"] = {"pool": "rbd", "image": "free", "wwn": WWN}
    document["disks"]["rbd/odd"] = {"backstore": "block"}
    conversion = converted(document)
    assert set(conversion.lunmap.luns) == {LUN}
    assert [text.split(": ")[1] for text in lost(conversion) if "free" in text or "odd" in text] == [
        "disks.rbd/free",
        "disks.rbd/odd",
    ]


def test_a_target_that_admits_all_gets_the_chosen_initiators() -> None:
    """Without ACLs the map has the initiators that are named, with the numbers of the target's disks."""
    document = ceph_document(11)
    document["targets"][IQN] |= {
        "acl_enabled": False,
        "clients": {},
        "groups": {},
        "auth": ceph_auth("tpg", PASSWORD),
    }
    conversion = converted(document, initiators=(H1, H2), sizes={LUN: 1 << 30})
    assert conversion.lunmap.luns[LUN].maps == (Map(IQN, 0, H1), Map(IQN, 0, H2))
    assert open_problems(conversion.lunmap) == ()
    assert any("it admits every initiator" in text for text in lost(conversion))
    assert any(f"targets.{IQN}.auth" in text for text in lost(conversion))
    old = ceph_document(10)
    old["targets"][IQN] |= {"acl_enabled": False, "clients": {}, "groups": {}}
    assert converted(old, initiators=(H1,)).lunmap.luns[LUN].maps == (Map(IQN, 0, H1),)


def test_a_member_with_another_number_is_mapped_alone() -> None:
    """A disk is mapped to the group only if all its members see it as the group does."""
    document = ceph_document(11)
    clients = document["targets"][IQN]["clients"]
    clients[H2]["luns"]["rbd/disk_1"]["lun_id"] = 4
    assert converted(document).lunmap.luns[LUN].maps == (Map(IQN, 3, H1), Map(IQN, 4, H2))
    clients[H2]["luns"]["rbd/disk_1"]["lun_id"] = None
    document["targets"][IQN]["groups"]["g"]["disks"]["rbd/disk_1"]["lun_id"] = None
    assert converted(document).lunmap.luns[LUN].maps == (Map(IQN, 3, H1),)
    del clients[H2]
    assert converted(document).lunmap.luns[LUN].maps == (Map(IQN, 3, H1),)


def test_two_targets_share_nodes_groups_and_initiators() -> None:
    """A second target has other tags, another group of the same name, other CHAP and some of the portals."""
    document = ceph_document(11)
    first = document["targets"][IQN]
    second = msgspec.json.decode(msgspec.json.encode(first))
    second["portals"] = {
        "gw2": {"portal_ip_addresses": ["10.0.1.12"]},
        "gw3": {"portal_ip_addresses": ["fd00::13"]},
    }
    second["ip_list"] = ["10.0.1.12", "fd00::13"]
    second["clients"][H1]["auth"] = ceph_auth("bob", PASSWORD)
    second["clients"][H1]["controls"] = {"cmdsn_depth": 1}
    second["clients"][H2]["auth"] |= {"mutual_username": "san", "mutual_password": "x"}
    second["controls"] = {"immediate_data": True, "max_outstanding_r2t": 4}
    document["targets"]["iqn.2026-01.org.example:t2"] = second
    conversion = converted(document, sizes={LUN: 1 << 30})
    lunmap = conversion.lunmap
    assert {name: node.tpg_tag for name, node in lunmap.nodes.items()} == {"gw1": 1, "gw2": 2, "gw3": 3}
    assert lunmap.nodes["gw3"].portals == ("[fd00::13]:3260",)
    target = lunmap.targets["iqn.2026-01.org.example:t2"]
    assert target.nodes == {"gw2": PortalGroup(portals=("10.0.1.12:3260",)), "gw3": PortalGroup()}
    assert target.parameters["MaxOutstandingR2T"] == "4"
    assert set(lunmap.groups) == {"g", "g-2"}
    assert any("another target has another CHAP user" in text for text in lost(conversion))
    assert any("settings of one initiator" in text for text in lost(conversion))
    assert any("in the map 2: a node has one tag" in each.text for each in conversion.remarks)


def test_mutual_chap_and_discovery_are_carried() -> None:
    """A target asks for mutual CHAP if all its initiators have it; discovery is that of each node."""
    document = ceph_document(11)
    mutual = ceph_auth("alice", PASSWORD) | {"mutual_username": "san", "mutual_password": "another-one-14"}
    document["discovery_auth"] = mutual
    for client in document["targets"][IQN]["clients"].values():
        client["auth"] = mutual
    lunmap = converted(document, sizes={LUN: 1 << 30}).lunmap
    assert lunmap.targets[IQN].authentication is Authentication.MUTUAL_CHAP
    assert lunmap.initiators[H1].mutual_chap == Chap("san")
    assert lunmap.nodes["gw1"].discovery == Discovery(Chap("alice"), Chap("san"))
    assert open_problems(lunmap) == ()


def test_an_address_that_is_none_is_left_to_the_rules() -> None:
    """A host name in place of an address is refused as any portal of a map."""
    document = ceph_document(11)
    document["targets"][IQN]["portals"] = {"gw1": {"portal_ip_addresses": ["gw1.example.org"]}, "gw2": {}}
    problems = open_problems(converted(document, krbd=True).lunmap)
    assert any("'gw1.example.org' is not a portal" in str(problem) for problem in problems)


def test_the_representation_of_the_file_has_no_password() -> None:
    """Neither a source nor the credentials of a document show what they hold."""
    auth = CephAuth(username="alice", password=PASSWORD)
    source = SourceText("gateway.conf", PASSWORD)
    for each in (auth, source, auth.incoming()):
        assert PASSWORD not in repr(each)
    assert (auth.__rich_repr__(), source.__rich_repr__()) == ([], [("name", "gateway.conf")])


def test_a_single_gateway_shares_nothing() -> None:
    """With one node no command is refused, and no owner is lost."""
    document = ceph_document(11)
    target = document["targets"][IQN]
    target["portals"] = {"gw1": target["portals"]["gw1"]}
    for krbd in (False, True):
        conversion = converted(document, krbd=krbd, sizes={LUN: 1 << 30})
        assert conversion.lunmap.luns[LUN].shared is None
        assert not any("owner" in text or "COMPARE" in text for text in lost(conversion))
