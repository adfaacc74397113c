"""What the map promises to a probe."""

from msgspec.structs import replace

from lunmapd.core.base.backings import Block, FileIO, Pscsi, User
from lunmapd.core.base.lunmap import (
    Access,
    AluaState,
    Authentication,
    Chap,
    Discovery,
    Group,
    Lun,
    Lunmap,
    Map,
    NodeState,
    PortalGroup,
    Target,
)
from lunmapd.core.probe.promise import (
    PromisedLun,
    PromisedPortal,
    only,
    promised_portals,
    unaddressed_nodes,
    with_address,
)
from support.small_map import LUN, MAP, H, T, drained

P1, P2, X = "10.0.0.1:3260", "10.0.0.2:3260", "iqn.2026-01.org.example:x"


def portals(lunmap: Lunmap = MAP, initiator: str = H) -> dict[str, PromisedPortal]:
    """Return the promises by portal."""
    return {item.portal: item for item in promised_portals(lunmap, initiator)}


def with_lun(lun: Lun) -> Lunmap:
    """Return the map with this Lun only."""
    return replace(MAP, luns={"a": lun})


def lun_at(portal: str, lunmap: Lunmap) -> PromisedLun:
    """Return the promise of the one LUN at a portal."""
    (lun,) = portals(lunmap)[portal].targets[T].luns.values()
    return lun


def test_a_lun_of_two_nodes() -> None:
    """Each portal promises the LUN with identity, size, number and state; discovery lists both portals."""
    listed = {T: {f"{P1},1", f"{P2},2"}}
    found = portals()
    assert {name: (item.node, item.active, item.listed) for name, item in found.items()} == {
        P1: ("n1", True, listed),
        P2: ("n2", True, listed),
    }
    assert found[P2].targets[T].luns == {
        3: PromisedLun(
            lun="a",
            number=3,
            serial="1" * 32,
            naa="6001405" + "1" * 25,
            vendor="LIO-ORG",
            product="FILEIO",
            size=1 << 20,
            block_size=512,
            state=AluaState.OPTIMIZED,
            group=2,
        )
    }


def test_another_initiator_is_promised_portals_only() -> None:
    """Whoever has no map sees no target, but the portals are promised all the same."""
    assert [(item.targets, item.listed) for item in promised_portals(MAP, X)] == [({}, {}), ({}, {})]


def test_identity_and_size_of_a_device() -> None:
    """Vendor and product are the map's; a device may be larger than declared, with blocks of its own."""
    lun = replace(LUN, backing=Block("/dev/a"), vendor="ACME", product="disk", size=1 << 20)
    promised = lun_at(P1, with_lun(lun))
    assert (promised.vendor, promised.product, promised.may_exceed) == ("ACME", "disk", True)
    assert promised.block_size is None
    assert lun_at(P1, with_lun(replace(lun, attributes={"block_size": 4096}))).block_size == 4096


def test_a_device_with_its_own_identity() -> None:
    """A passed-through device and a program answer INQUIRY themselves, and do ALUA; only a size is known."""
    for backing, size in ((Pscsi("/dev/sg1"), None), (User("rbd/x"), 1 << 20)):
        promised = lun_at(P1, with_lun(replace(LUN, backing=backing)))
        assert promised == PromisedLun(lun="a", number=3, size=size)
        assert promised.is_open


def test_alua_follows_the_preferred_node() -> None:
    """The preferred node has the bit, the other one the state `others`; standby paths are closed."""
    lunmap = with_lun(replace(LUN, preferred="n1", others=AluaState.STANDBY))
    first, second = lun_at(P1, lunmap), lun_at(P2, lunmap)
    assert (first.state, first.preferred, first.is_open) == (AluaState.OPTIMIZED, True, True)
    assert (second.state, second.preferred, second.is_open) == (AluaState.STANDBY, False, False)


def test_alua_leads_away_from_a_drained_node() -> None:
    """A drained node's path is not optimized, and the other one is."""
    lunmap = drained(with_lun(replace(LUN, preferred="n1")), "n1")
    assert [(lun_at(each, lunmap).state, lun_at(each, lunmap).preferred) for each in (P1, P2)] == [
        (AluaState.NON_OPTIMIZED, False),
        (AluaState.OPTIMIZED, False),
    ]


def test_a_lun_of_one_node_is_in_the_default_group() -> None:
    """LIO's own group 0 holds it, active/optimized, and the other node does not show the target."""
    lunmap = with_lun(replace(LUN, nodes=("n1",), preferred="n1"))
    promised = lun_at(P1, lunmap)
    assert (promised.state, promised.preferred, promised.group) == (AluaState.OPTIMIZED, False, 0)
    assert (portals(lunmap)[P2].targets, portals(lunmap)[P2].listed) == ({}, {})


def test_a_drained_node_is_not_listed() -> None:
    """A drained node has its portals and LUNs, accepts no login, and discovery lists the other node alone."""
    nodes = {**MAP.nodes, "n2": replace(MAP.nodes["n2"], state=NodeState.DRAINED)}
    found = portals(replace(MAP, nodes=nodes))
    assert (found[P1].active, found[P2].active) == (True, False)
    assert found[P1].listed == found[P2].listed == {T: {f"{P1},1"}}


def test_groups_and_read_only_maps() -> None:
    """A map to a group is a map to each member; a map to a missing group, target or node promises nothing."""
    maps = (
        Map(T, 1, group="g", access=Access.READ_ONLY),
        Map(X, 2, H),
        Map(T, 4, group="missing"),
    )
    lunmap = replace(with_lun(replace(LUN, maps=maps)), groups={"g": Group((H,))})
    assert lun_at(P1, lunmap) == replace(lun_at(P1, MAP), number=1, read_only=True)
    served = {T: Target({"n1": PortalGroup(1), "gone": PortalGroup(2)}, authentication=Authentication.CHAP)}
    found = portals(replace(MAP, targets=served))
    assert found[P1].listed == {T: {f"{P1},1"}}
    assert found[P1].targets[T].authentication is Authentication.CHAP


def test_a_target_that_libiscsi_can_not_log_in_to() -> None:
    """Libiscsi offers no data digest: a target that requires one has an obstacle."""
    for value, obstacle in (("CRC32C", True), ("CRC32C,None", False)):
        served = replace(MAP.targets[T], parameters={"DataDigest": value})
        target = portals(replace(MAP, targets={T: served}))[P1].targets[T]
        assert ("requires DataDigest=CRC32C" in target.obstacle) == obstacle


def test_portals_of_a_target_and_of_a_node() -> None:
    """A target may have some of the portals; all addresses of a node can't be probed; iSER portals can."""
    n1 = replace(MAP.nodes["n1"], portals=(P1, "0.0.0.0:3261"), iser_portals=("10.1.0.1:3260",))
    n1 = replace(n1, discovery=Discovery(Chap("u", "p")))
    targets = {T: Target({"n1": PortalGroup(1, ("10.1.0.1:3260",)), "n2": PortalGroup(7)})}
    found = portals(replace(MAP, targets=targets, nodes={**MAP.nodes, "n1": n1}))
    assert {name: (sorted(item.targets), item.asks_password) for name, item in found.items()} == {
        P1: ([], True),
        "10.1.0.1:3260": ([T], True),
        P2: ([T], False),
    }
    assert found[P1].listed == {T: {"10.1.0.1:3260,1", f"{P2},2"}}


def test_nodes_on_all_addresses() -> None:
    """A node whose portals are all on all addresses has none that the map knows, until one is given."""
    every = replace(MAP.nodes["n1"], portals=("0.0.0.0:3260",), iser_portals=("[::]:3261",))
    targets = {T: Target({"n1": PortalGroup(1, ("0.0.0.0:3260",)), "n2": PortalGroup(7)})}
    lunmap = replace(MAP, targets=targets, nodes={**MAP.nodes, "n1": every})
    assert unaddressed_nodes(lunmap, None) == unaddressed_nodes(lunmap, {"a"}) == {"n1"}
    elsewhere = replace(lunmap, luns={"a": replace(LUN, nodes=("n2",))})
    assert (unaddressed_nodes(elsewhere, {"a"}), unaddressed_nodes(MAP, None)) == (frozenset(), frozenset())
    placed = with_address(lunmap, "n1", "10.0.9.1:1")
    assert unaddressed_nodes(placed, None) == frozenset()
    assert placed.nodes["n1"].portals == placed.targets[T].nodes["n1"].portals == ("10.0.9.1:3260",)
    assert placed.nodes["n1"].iser_portals == ("10.0.9.1:3261",)
    assert placed.targets[T].nodes["n2"] == PortalGroup(7)
    alone = replace(lunmap, targets={T: Target({"n2": PortalGroup(7)})})
    assert with_address(alone, "n1", "10.0.9.1:1").targets == alone.targets


def test_only_what_is_asked_for() -> None:
    """Nodes and Luns limit the portals; the numbers of other LUNs are still known."""
    lunmap = replace(MAP, luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=(Map(T, 4, H),))})
    every = tuple(promised_portals(lunmap, H))
    assert tuple(only(every, None, frozenset())) == every
    assert [item.node for item in only(every, None, frozenset({"n2"}))] == ["n2"]
    (chosen,) = only(every, frozenset({"b"}), frozenset({"n1"}))
    assert (set(chosen.targets[T].luns), set(chosen.targets[T].others)) == ({4}, {3})
    assert list(only(every, frozenset({"c"}), frozenset())) == []


def test_a_file_of_many_sizes() -> None:
    """A file is exactly as large as the map says."""
    assert not lun_at(P1, with_lun(replace(LUN, backing=FileIO("/srv/b")))).may_exceed
