"""The resources of Pacemaker and LINSTOR Gateway as a map."""

import pytest
from msgspec import structs

from lunmapd.core.base.backings import Block, FileIO, Pscsi
from lunmapd.core.base.lunmap import Authentication, Chap, Initiator, Map, PortalGroup, Scope, Shared
from lunmapd.core.conversion.agents import convert_resources
from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import Choices, Conversion, RemarkKind
from lunmapd.core.conversion.formats import open_problems
from support.cluster_resources import MOVING, SOURCES, carried, cluster, lost, resource, unit
from support.foreign_files import H1, H2, IQN


@pytest.mark.parametrize("name", SOURCES)
def test_one_cluster_gives_one_map_from_each_text(name: str) -> None:
    """The CIB and the texts of crm and pcs of one cluster give the same map, with what the agents make."""
    conversion = convert_resources(SOURCES[name], Choices())
    lunmap = conversion.lunmap
    assert open_problems(lunmap) == ()
    lun = lunmap.luns["lun1"]
    # The first 8 digits of md5("lun1"), as the agent computes them.
    assert (lun.backing, lun.serial, lun.product) == (Block("/dev/drbd0"), "333f8b44", "lun1")
    assert lun.maps == (Map(IQN, 1, H1), Map(IQN, 1, H2))
    assert lunmap.initiators == {H1: Initiator(chap=Chap("joe")), H2: Initiator(chap=Chap("joe"))}
    assert lunmap.targets[IQN].authentication is Authentication.CHAP
    assert {node: (each.tpg_tag, each.portals) for node, each in lunmap.nodes.items()} == {
        "n1": (2, ()),
        "n2": (3, ()),
    }
    assert lunmap.targets[IQN].nodes == {}
    assert lunmap.targets[IQN].floating == {"ip1": MOVING}
    assert carried(conversion, "ip1")
    assert lun.shared == Shared(Scope.OFF, Scope.PER_NODE)


def test_a_password_is_taken_where_the_text_has_it() -> None:
    """The text of crm has the password; those of pcs and a CIB with secrets don't, and that is named."""
    carried = convert_resources(SOURCES["crm"], Choices())
    assert {secret.text for secret in carried.passwords.values()} == {"a secret word"}
    assert "a secret word" not in f"{carried} {SOURCES['crm']}"
    assert SOURCES["crm"].primitives[0].__rich_repr__() == [("name", "drbd_r0"), ("agent", "drbd")]
    for name in ("pcs", "cib"):
        conversion = convert_resources(SOURCES[name], Choices())
        assert conversion.passwords == {}
        assert "its incoming_password, which the file has not" in lost(conversion)


@pytest.mark.parametrize("text", ["******", "lrm://", ""])
def test_a_hidden_password_is_not_taken(text: str) -> None:
    """The asterisks that crmsh prints in place of a password would be sealed, and no host could log in."""
    given = cluster(unit(allowed_initiators=H1), incoming_username="joe", incoming_password=text)
    conversion = convert_resources(given, Choices())
    assert conversion.passwords == {}
    assert "its incoming_password, which the file has not" in lost(conversion)


def test_nodes_with_addresses_of_their_own_serve_all_targets() -> None:
    """With --portal each node has its address and a tag of its own, and offers no state of one node."""
    choices = Choices({"n1": ("10.0.0.1",), "n2": ("10.0.0.2", "10.0.1.2")})
    conversion = convert_resources(SOURCES["crm"], choices)
    lunmap = conversion.lunmap
    assert open_problems(lunmap) == ()
    assert lunmap.targets[IQN].nodes == {"n1": PortalGroup(), "n2": PortalGroup()}
    assert lunmap.targets[IQN].floating == {"ip1": MOVING}
    assert lunmap.nodes["n2"].tpg_tag == 3
    assert lunmap.nodes["n2"].portals == ("10.0.0.2:3260", "10.0.1.2:3260")
    assert lunmap.luns["lun1"].shared == Shared(Scope.OFF, Scope.OFF)
    assert carried(conversion, "ip1")


def changed(conversion: Conversion) -> str:
    """Return the texts of what is in the map in another way."""
    return "\n".join(each.text for each in conversion.remarks if each.kind is RemarkKind.CHANGED)


def test_a_chap_user_without_allowed_initiators_is_that_of_the_named_ones() -> None:
    """The agent gives it to the TPG, in demo mode: named hosts keep their credentials, the others are out."""
    given = cluster(unit(), incoming_username="joe", incoming_password="a secret word")
    assert "it admits every initiator: name those that may see it with --initiator" in lost(
        convert_resources(given, Choices())
    )
    conversion = convert_resources(given, Choices(initiators=(H1,)))
    assert conversion.lunmap.targets[IQN].authentication is Authentication.CHAP
    assert conversion.lunmap.initiators == {H1: Initiator(chap=Chap("joe"))}
    assert [secret.text for secret in conversion.passwords.values()] == ["a secret word"]


def test_a_unit_with_initiators_of_a_target_in_demo_mode_is_named() -> None:
    """Others see the unit today, too; with a CHAP user its own initiators are kept out."""
    given = cluster(unit(allowed_initiators=H1), incoming_username="joe")
    conversion = convert_resources(given, Choices(initiators=(H2,)))
    assert [entry.initiator for entry in conversion.lunmap.luns["lun1"].maps] == [H1, H2]
    assert "t1 has no allowed_initiators, so every other initiator may log in today" in changed(conversion)
    assert f"{H1} can't log in today, since its ACL lacks the CHAP user" in changed(conversion)
    without = convert_resources(cluster(unit(allowed_initiators=H1)), Choices())
    assert "can't log in" not in changed(without)
    assert "may log in" not in changed(convert_resources(cluster(unit(), allowed_initiators=H1), Choices()))


def test_a_file_of_the_agent_has_a_write_back_cache() -> None:
    """Targetcli opens a file with one by default, and the agent sets neither that nor the product."""
    conversion = convert_resources(
        cluster(unit(liot_bstype="fileio", allowed_initiators=H1, product_id="p")), Choices()
    )
    assert conversion.lunmap.luns["lun1"].product == "lun1"
    assert any("write-back cache with which targetcli opens its file" in text for text in lost(conversion))


def test_a_target_without_portals_is_named() -> None:
    """The agent makes no portal then."""
    assert "it has no portals" in changed(convert_resources(cluster(unit()), Choices()))
    given = cluster(unit(), portals="10.0.0.1:3260")
    assert "it has no portals" not in changed(convert_resources(given, Choices()))


def test_a_named_node_serves_alone() -> None:
    """One --node chooses the node that keeps the address, in any order of the file; the others are named."""
    conversion = convert_resources(SOURCES["crm"], Choices(nodes=("n2",)))
    assert {node: each.portals for node, each in conversion.lunmap.nodes.items()} == {
        "n2": ("10.0.0.100:3260",)
    }
    assert any(each.text.startswith("it alone serves the targets, n1 can't") for each in conversion.remarks)


def test_the_older_agent_of_an_address_is_known() -> None:
    """An IPaddr moves as an IPaddr2 does."""
    older = ClusterResource("ip1", "IPaddr", {"ip": "10.0.0.100"}, "ip1")
    given = cluster(unit(allowed_initiators=H1), portals="10.0.0.100:3260")
    conversion = convert_resources(ClusterResources((*given.primitives, older), ("n1", "n2")), Choices())
    assert conversion.lunmap.targets[IQN].floating == {"ip1": MOVING}


def test_a_storage_object_may_have_another_name_than_its_resource() -> None:
    """The parameter backstore_name names it, and so the product; the serial is still that of the resource."""
    lunmap = convert_resources(cluster(unit(backstore_name="vol", allowed_initiators=H1)), Choices()).lunmap
    assert {name: (lun.serial, lun.product) for name, lun in lunmap.luns.items()} == {
        "vol": ("333f8b44", "vol")
    }


def test_the_settings_of_a_logical_unit_are_carried() -> None:
    """Backing, size, block size, discards and serial are those of the parameters."""
    given = unit(liot_bstype="fileio", path="/srv/a", block_size="4096", emulate_tpu="1", scsi_sn="ab" * 16,
                 emulate_caw="0", emulate_3pc="1", write_cache="1", allowed_initiators=H1.upper())  # fmt: skip
    conversion = convert_resources(cluster(given), Choices(sizes={"lun1": 1 << 20}))
    lun = conversion.lunmap.luns["lun1"]
    assert (lun.backing, lun.size, lun.serial) == (FileIO("/srv/a"), 1 << 20, "ab" * 16)
    assert lun.attributes == {"block_size": 4096, "emulate_tpu": 1}
    assert lun.shared == Shared(Scope.PER_NODE, Scope.OFF)
    assert lun.maps == (Map(IQN, 1, H1),)
    assert open_problems(conversion.lunmap) == ()
    assert any("write-back cache" in text for text in lost(conversion))
    assert any("EXTENDED COPY" in each.text for each in conversion.remarks)


def test_a_passed_device_keeps_its_own_identity() -> None:
    """A pscsi Lun has neither serial nor product in the map."""
    lun = convert_resources(cluster(unit(liot_bstype="pscsi")), Choices()).lunmap.luns["lun1"]
    assert (lun.backing, lun.serial, lun.product) == (Pscsi("/dev/drbd0"), "", "")


def test_an_initiator_of_another_unit_is_named() -> None:
    """A new LUN is mapped to each ACL that its target has then, whatever the unit's own parameter is."""
    one, two = unit(allowed_initiators=H1), unit(lun="2", allowed_initiators=f"{H1} {H2}", scsi_sn="ab")
    conversion = convert_resources(cluster(one, structs.replace(two, name="lun2", place="lun2")), Choices())
    assert [entry.initiator for entry in conversion.lunmap.luns["lun1"].maps] == [H1]
    named = [each.place for each in conversion.remarks if "may see it too today" in each.text]
    assert (named, any(H2 in each.text for each in conversion.remarks)) == (["lun1"], True)


def test_a_target_that_admits_all_gets_the_chosen_initiators() -> None:
    """Without allowed_initiators the named ones are mapped; without those the Lun is mapped to nobody."""
    conversion = convert_resources(cluster(unit()), Choices(initiators=(H1,)))
    assert conversion.lunmap.luns["lun1"].maps == (Map(IQN, 1, H1),)
    conversion = convert_resources(cluster(unit()), Choices())
    assert conversion.lunmap.luns["lun1"].maps == ()
    assert any("it admits every initiator" in text for text in lost(conversion))
    assert conversion.lunmap.nodes["n1"].portals == ("0.0.0.0:3260",)


def test_what_is_no_logical_unit_of_lio_is_named() -> None:
    """Another server, a missing target and a missing number are lost; the rest is converted."""
    conversion = convert_resources(
        cluster(unit(implementation="scst"), unit(target_iqn="other"), unit(lun="x")), Choices()
    )
    assert conversion.lunmap.luns == {}
    assert [text.split(": ")[0] for text in lost(conversion)] == [
        "lun1 is served by scst",
        "lun1 is of target 'other', for which there is no iSCSITarget",
        "lun1 has no LUN number",
    ]


def test_two_targets_of_one_name_are_named() -> None:
    """The first one is converted, and the other one is not lost in silence."""
    again = resource("t2", "iSCSITarget", iqn=IQN, portals="10.0.0.2")
    conversion = convert_resources(cluster(again, unit(), portals="10.0.0.1"), Choices())
    assert conversion.lunmap.nodes["n1"].portals == ("10.0.0.1:3260",)
    assert "t2 has the target name of t1, which is converted" in lost(conversion)


def test_parameters_of_a_target_are_carried() -> None:
    """Parameters of RFC 7143 are carried unless they are LIO's defaults; others are named."""
    conversion = convert_resources(
        cluster(unit(), additional_parameters="MaxBurstLength=1048576 InitialR2T=Yes odd=1"), Choices()
    )
    assert conversion.lunmap.targets[IQN].parameters == {"MaxBurstLength": "1048576"}
    assert "its additional parameter odd" in lost(conversion)


def test_targets_with_other_portals_and_users() -> None:
    """Each target keeps its portals, with RDMA or not; an initiator can have one CHAP user."""
    second = resource("t2", "iSCSITarget", iqn="iqn.2026-01.org.example:t2", portals="10.0.0.2:3260 nonsense",
                      iser_portals="10.0.0.2", incoming_username="joe", incoming_password="x", allowed_initiators=H1)  # fmt: skip
    other = resource(
        "lun2", "iSCSILogicalUnit", target_iqn="iqn.2026-01.org.example:t2", lun="2", path="/dev/b"
    )
    both = ClusterResources(
        (*cluster(unit(), portals="10.0.0.1", allowed_initiators=H1).primitives, second, other)
    )
    conversion = convert_resources(both, Choices())
    lunmap = conversion.lunmap
    assert lunmap.nodes["node1"].portals == ("10.0.0.1:3260", "nonsense")
    assert lunmap.nodes["node1"].iser_portals == ("10.0.0.2:3260",)
    assert lunmap.targets[IQN].nodes["node1"].portals == ("10.0.0.1:3260",)
    assert any("its CHAP user 'joe'" in text for text in lost(conversion))


def test_only_further_nodes_get_other_tags_than_the_agents_give() -> None:
    """Without a floating group the first node keeps tag 1, so nothing is said of it."""
    given = cluster(unit(allowed_initiators=H1), portals="10.0.0.9")
    conversion = convert_resources(given, Choices(portals={"n1": ("10.0.0.1",), "n2": ("10.0.0.2",)}))
    assert {name: node.tpg_tag for name, node in conversion.lunmap.nodes.items()} == {"n1": 1, "n2": 2}
    changed = [each.place for each in conversion.remarks if "its TPGs have tag" in each.text]
    assert changed == ["node n2"]
