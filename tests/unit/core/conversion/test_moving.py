"""Addresses that move between nodes become floating groups."""

from msgspec import structs

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Authentication, PortalGroup, Scope, Shared
from lunmapd.core.conversion.agents import convert_resources
from lunmapd.core.conversion.cluster_resources import ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import Choices, Conversion
from lunmapd.core.conversion.formats import open_problems
from lunmapd.core.conversion.reactor import read_reactor
from support.cluster_resources import MOVING, address, cluster, lost, resource, unit
from support.foreign_files import H1, IQN, REACTOR


def test_linstor_gateway_is_read() -> None:
    """Its file gives the storage objects that drbd-reactor's agents make, on a node that is to be renamed."""
    resources = ClusterResources(read_reactor(REACTOR, "t1.toml"))
    conversion = convert_resources(resources, Choices())
    lun = conversion.lunmap.luns["lu1_t1"]
    assert (lun.serial, lun.product, lun.backing) == ("1a2b3c4d", "1a2b3c4d", Block("/dev/drbd/by-res/t1/1"))
    assert conversion.lunmap.targets[IQN].authentication is Authentication.NONE
    assert open_problems(conversion.lunmap) == ()
    assert set(conversion.lunmap.nodes) == {"node1"}
    assert not any("pblock0" in text for text in lost(conversion))
    assert any(each.text.startswith("pblock0: no rule is needed") for each in conversion.remarks)


def test_linstor_gateway_moves_its_addresses_between_named_nodes() -> None:
    """Its files name no nodes, so they are given; what promotes the volume must go on doing that."""
    resources = ClusterResources(read_reactor(REACTOR, "t1.toml"))
    conversion = convert_resources(resources, Choices(nodes=("n2", "n1")))
    assert conversion.lunmap.targets[IQN].floating == {
        "service_ip0": structs.replace(MOVING, nodes=("n2", "n1"))
    }
    assert {name: node.tpg_tag for name, node in conversion.lunmap.nodes.items()} == {"n2": 2, "n1": 3}
    assert any("a node owns it only while it can open the disks" in text for text in lost(conversion))
    assert open_problems(conversion.lunmap) == ()


def moved(
    *addresses: ClusterResource, nodes: tuple[str, ...] = ("n1", "n2"), portals: str = ""
) -> Conversion:
    """Return the conversion of a target of these nodes, with these addresses and portals."""
    given = cluster(unit(allowed_initiators=H1), **({"portals": portals} if portals else {}))
    primitives = (*addresses, *given.primitives)
    return convert_resources(structs.replace(given, primitives=primitives, nodes=nodes), Choices())


def test_all_addresses_of_a_target_are_one_group() -> None:
    """They move together, on the interface that the agent names; IPv6 and ports are kept."""
    both = (address("ip 4", "10.0.0.100", nic="eth0:1"), address("ip6", "fd00::100"))
    conversion = moved(*both, portals="10.0.0.100 [FD00:0::100]:3261")
    made = conversion.lunmap.targets[IQN].floating
    portals = ("10.0.0.100:3260", "[fd00::100]:3261")
    assert made == {"moving": structs.replace(MOVING, portals=portals, interface="eth0")}
    assert open_problems(conversion.lunmap) == ()
    every = moved(*both).lunmap.targets[IQN].floating["moving"]
    assert every.portals == ("10.0.0.100:3260", "[fd00::100]:3260")


def test_without_several_nodes_an_address_stays_where_it_is() -> None:
    """It is a portal of the one node, and the report says so."""
    conversion = moved(address("ip1", "10.0.0.100"), nodes=("n1",), portals="10.0.0.100")
    assert conversion.lunmap.nodes["n1"].portals == ("10.0.0.100:3260",)
    assert conversion.lunmap.targets[IQN].floating == {}
    assert any("no floating group has it: it is a portal of n1 alone" in text for text in lost(conversion))
    everywhere = moved(address("ip1", "10.0.0.100"), nodes=("n1",))
    assert any("it is a portal of n1 alone" in text for text in lost(everywhere))


def test_an_address_that_no_target_has_is_lost() -> None:
    """So is one that is no address; a portal that does not move stays that of the first node."""
    resources = (address("ip1", "10.0.0.100"), address("ip2", "10.0.0.200"), address("ip3", "nonsense"))
    conversion = moved(*resources, portals="10.0.0.100:3260 10.0.0.9:3260 nonsense")
    target = conversion.lunmap.targets[IQN]
    assert target.floating == {"ip1": MOVING}
    assert target.nodes == {"n1": PortalGroup()}
    assert {name: (node.tpg_tag, node.portals) for name, node in conversion.lunmap.nodes.items()} == {
        "n1": (2, ("10.0.0.9:3260", "nonsense")),
        "n2": (3, ()),
    }
    assert [text for text in lost(conversion) if "no floating group has it" in text] == [
        f"address {ip} moves between nodes, and no floating group has it: it is not in the map"
        for ip in ("10.0.0.200", "nonsense")
    ]


def test_each_target_has_a_group_of_its_own() -> None:
    """Only the first keeps tag 1; nobody knows which address serves a target on all addresses."""
    other = resource("t2", "iSCSITarget", iqn=f"{IQN}-2", portals="10.0.0.200")
    every = resource("t3", "iSCSITarget", iqn=f"{IQN}-3")
    given = cluster(unit(allowed_initiators=H1), portals="10.0.0.100")
    primitives = (address("ip1", "10.0.0.100"), address("ip2", "10.0.0.200"), *given.primitives, other, every)
    conversion = convert_resources(
        structs.replace(given, primitives=primitives, nodes=("n1", "n2")), Choices()
    )
    floating = [target.floating for target in conversion.lunmap.targets.values()]
    second = structs.replace(MOVING, tpg_tag=2, portals=("10.0.0.200:3260",))
    assert floating == [{"ip1": MOVING}, {"ip2": second}, {}]
    assert any("its TPG has tag 2; the agents give each tag 1" in each.text for each in conversion.remarks)
    assert {name: node.tpg_tag for name, node in conversion.lunmap.nodes.items()} == {"n1": 3, "n2": 4}


def test_compare_and_write_stays_off_behind_a_group() -> None:
    """It is offered only if the unit offers it today."""
    given = cluster(unit(allowed_initiators=H1, emulate_caw="0"), portals="10.0.0.100")
    primitives = (address("ip1", "10.0.0.100"), *given.primitives)
    conversion = convert_resources(
        structs.replace(given, primitives=primitives, nodes=("n1", "n2")), Choices()
    )
    assert conversion.lunmap.luns["lun1"].shared == Shared(Scope.OFF, Scope.OFF)
