"""The maps of several nodes as one."""

import msgspec
import pytest
from msgspec import structs

from lunmapd.core.base.backings import Block, RamDisk
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import (
    Access,
    Chap,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.base.password import Secret
from lunmapd.core.conversion.conversion import Conversion, RemarkKind
from lunmapd.core.conversion.formats import open_problems
from lunmapd.core.conversion.join import Joined, join_maps
from lunmapd.core.conversion.rolling_move import move_lines, rolling_move
from support.foreign_files import H1, H2, IQN

SERIAL = "6b1a4bf40d264b3c9f6e1f2a3b4c5d6e"
OTHER = "7c1a4bf40d264b3c9f6e1f2a3b4c5d6e"


def lun(*maps: Map, path: str = "/dev/vg0/a", serial: str = SERIAL) -> Lun:
    """Return a Lun."""
    return Lun(Block(path), serial, maps=maps or (Map(IQN, 1, H1),))


def node_map(name: str, *, port_id: int = 1, luns: dict[str, Lun] | None = None) -> Lunmap:
    """Return the map of one node with tag 1, as `lunmapd adopt` prints it."""
    luns = {"a": lun()} if luns is None else luns
    hosts = dict.fromkeys(
        sorted({entry.initiator for each in luns.values() for entry in each.maps}), Initiator()
    )
    number = name.removeprefix("n")
    return Lunmap(
        luns,
        {IQN: Target({name: PortalGroup(port_id)})},
        hosts,
        {},
        {name: Node(1, (f"10.0.0.{number}:3260",))},
    )


def joined(*maps: Lunmap) -> Joined:
    """Return the joint map of these, as from the files f1, f2 and so on."""
    return join_maps([(f"f{number}", Conversion(each)) for number, each in enumerate(maps, start=1)])


def lost(result: Joined) -> list[str]:
    """Return what is lost, with its place."""
    return [
        f"{each.place}: {each.text}" for each in result.conversion.remarks if each.kind is RemarkKind.LOST
    ]


def test_one_map_stays_as_it_is() -> None:
    """A single file needs no joining."""
    assert joined(node_map("n1")) == Joined(Conversion(node_map("n1")))


def test_one_volume_is_one_lun_of_both_nodes() -> None:
    """Luns of one WWID and number are one Lun, with the path of each node, and what they offer today."""
    result = joined(node_map("n1"), node_map("n2", port_id=1, luns={"a": lun(path="/dev/vg1/a")}))
    lunmap = result.conversion.lunmap
    assert lost(result) == []
    assert lunmap.luns == {
        "a": Lun(
            Block("/dev/vg0/a", {"n2": "/dev/vg1/a"}),
            SERIAL,
            shared=Shared(Scope.PER_NODE, Scope.PER_NODE),
            maps=(Map(IQN, 1, H1),),
        )
    }
    assert {name: node.tpg_tag for name, node in lunmap.nodes.items()} == {"n1": 1, "n2": 2}
    # In this order a commit chooses the missing port ids: the first node keeps what LIO gave it.
    assert list(lunmap.targets[IQN].nodes.items()) == [("n1", PortalGroup(1)), ("n2", PortalGroup())]
    assert open_problems(lunmap) == ()


def test_the_move_is_planned_node_by_node() -> None:
    """The first node is taken over; the second is made anew, which its hosts notice as the loss of a path."""
    result = joined(node_map("n1"), node_map("n2"))
    moves = rolling_move(result)
    assert [(move.node, move.disruption, move.cut_off) for move in moves] == [
        ("n1", Disruption.NONE, {}),
        ("n2", Disruption.SESSION_DROP, {}),
    ]
    assert moves[1].reasons == (
        "its TPGs get tag 2: 1 is that of another node",
        f"the port id of {IQN} is that of another node",
    )
    text = list(move_lines(moves))
    assert text[0] == "1. n1: take over its targets as they are (disruption: none)"
    assert text[1] == "2. n2: make its targets anew (disruption: session-drop)"
    assert any(line.startswith("   back: ") for line in text)


def test_a_lun_of_one_node_is_cut_off_by_its_move() -> None:
    """The plan names the hosts and Luns that have no other path, and the Lun is reported by its node only."""
    first = node_map("n1")
    second = node_map("n2", luns={"a": lun(), "b": lun(Map(IQN, 2, H2), path="/dev/vg0/b", serial=OTHER)})
    result = joined(first, second)
    assert result.conversion.lunmap.luns["b"].nodes == ("n2",)
    (_, move) = rolling_move(result)
    assert (move.disruption, move.cut_off) == (Disruption.DATA_UNREACHABLE, {H2: ("b",)})
    assert f"   {H2} can't reach b meanwhile: stop its I/O first" in list(move_lines((move,)))


def test_a_host_without_a_path_today_has_none_meanwhile() -> None:
    """A host that sees a Lun through one node today is cut off, although the joint map gives it two paths."""
    first = node_map("n1")
    second = node_map("n2", luns={"a": lun(Map(IQN, 1, H1), Map(IQN, 1, H2))})
    (_, move) = rolling_move(joined(first, second))
    assert (move.node, move.disruption, move.cut_off) == ("n2", Disruption.DATA_UNREACHABLE, {H2: ("a",)})


def test_nodes_that_clash_in_nothing_need_no_move() -> None:
    """Nodes with tags, port ids and volumes of their own are joined as they are."""
    second = node_map("n2", port_id=2, luns={"b": lun(path="/dev/vg0/b", serial=OTHER)})
    second = structs.replace(
        second,
        nodes={"n2": structs.replace(second.nodes["n2"], tpg_tag=7)},
        targets={"iqn.2026-01.org.example:t2": Target({"n2": PortalGroup(2)})},
        luns={"b": lun(Map("iqn.2026-01.org.example:t2", 1, H1), path="/dev/vg0/b", serial=OTHER)},
    )
    result = joined(node_map("n1"), second)
    assert (lost(result), result.rebuilds) == ([], ())
    assert open_problems(result.conversion.lunmap) == ()
    assert [move.disruption for move in rolling_move(result)] == [Disruption.NONE, Disruption.NONE]


def test_one_name_of_two_volumes_is_changed() -> None:
    """Another volume with a name that is taken gets another name, and its node's targets are made anew."""
    second = node_map("n2", luns={"a": lun(Map(IQN, 2, H1), serial=OTHER)})
    third = node_map("n3", luns={"a": lun(Map(IQN, 3, H1), serial="")})
    result = joined(node_map("n1"), second, third)
    assert set(result.conversion.lunmap.luns) == {"a", "a-2", "a-3"}
    assert "its storage object a gets the name a-2" in [each.reason for each in result.rebuilds]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"size": 1 << 30}, "one WWID, but they differ in size"),
        ({"product": "other"}, "one WWID, but they differ in product"),
        ({"serial": f"{SERIAL}0"}, "one WWID, but they differ in serial"),
        ({"backing": RamDisk(volatile=True)}, "one WWID, but they differ in backing.type"),
        ({"maps": (Map(IQN, 5, H1),)}, f"{H1} at {IQN} has numbers 1 and 5: settle it on the nodes first"),
        (
            {"maps": (Map(IQN, 1, H1, access=Access.READ_ONLY),)},
            f"{H1} at {IQN} has different access: settle it on the nodes first",
        ),
    ],
)
def test_a_contradiction_is_named_with_both_places(change: dict[str, object], text: str) -> None:
    """Two descriptions of one volume that differ are named, and the map has the first."""
    result = joined(node_map("n1"), node_map("n2", luns={"a": structs.replace(lun(), **change)}))
    (message,) = lost(result)
    assert message.startswith(f"f1: luns[a] and f2: luns[a]: {text}")
    assert result.conversion.lunmap.luns["a"].maps == (Map(IQN, 1, H1),)
    assert result.conversion.lunmap.luns["a"].size is None


def test_one_number_of_two_volumes_is_named() -> None:
    """A LUN number that leads a host to another volume on another node is a contradiction."""
    second = node_map("n2", luns={"b": lun(path="/dev/vg0/b", serial=OTHER)})
    (message,) = lost(joined(node_map("n1"), second))
    assert message == (
        f"f1: luns[a] and f2: luns[b]: LUN 1 of {H1} at {IQN} is another volume: settle it on the nodes first"
    )


def test_two_ramdisks_are_never_one_volume() -> None:
    """Memory of two nodes has different data, whatever its WWID."""
    memory = structs.replace(lun(), backing=RamDisk(volatile=True), size=1 << 20)
    result = joined(node_map("n1", luns={"a": memory}), node_map("n2", luns={"a": memory}))
    assert any("two ramdisks with one WWID" in text for text in lost(result))


def test_an_initiator_of_one_node_gets_paths_through_both() -> None:
    """A map that one node lacks is named: the host sees the volume through that node, too."""
    second = node_map("n2", luns={"a": lun(Map(IQN, 1, H1), Map(IQN, 2, H2))})
    result = joined(node_map("n1"), second)
    texts = [each.text for each in result.conversion.remarks if each.kind is RemarkKind.CHANGED]
    assert (
        f"{H2} gets paths through its nodes, too, as in f2: luns[a]: to take over a node as it is, map it there "
        "with its tool first"
    ) in texts
    assert {entry.initiator for entry in result.conversion.lunmap.luns["a"].maps} == {H1, H2}


def test_other_objects_that_differ_are_named() -> None:
    """Initiators, groups, nodes and targets of two files that differ are named by their fields."""
    first = structs.replace(node_map("n1"), groups={"g": Group((H1,))})
    second = structs.replace(
        node_map("n1"),
        groups={"g": Group((H2,))},
        initiators={H1: Initiator(chap=Chap("joe"))},
        nodes={"n1": Node(2, ("10.0.0.9:3260",))},
        targets={IQN: Target({"n1": PortalGroup(1)}, alias="x")},
    )
    texts = lost(joined(first, second))
    assert [text.partition(": ")[2] for text in texts] == [
        "nodes[n1]: they differ in tpg_tag, portals: the map has the first",
        f"targets[{IQN}]: they differ in alias: the map has the first",
        f"initiators[{H1}]: they differ in chap: the map has the first",
        "groups[g]: they differ in initiators: the map has the first",
    ]


def test_passwords_that_differ_are_named_and_not_shown() -> None:
    """Two passwords of one user are a contradiction; neither is in the remark."""
    key = (f"initiators/{H1}", "chap")
    result = join_maps(
        [
            ("f1", Conversion(node_map("n1"), passwords={key: Secret("first-password")})),
            ("f2", Conversion(node_map("n2"), passwords={key: Secret("other-password")})),
        ]
    )
    assert lost(result) == [f"f1 and f2: initiators/{H1}: the passwords of chap differ"]
    assert result.conversion.passwords[key].text == "first-password"
    assert 'password"' not in msgspec.json.encode(result.conversion.remarks).decode()


def test_a_lun_that_is_mapped_to_nobody_is_joined() -> None:
    """Luns without maps, or of a node that the file lacks, keep their path."""
    bare = structs.replace(lun(), maps=())
    without_node = structs.replace(node_map("n2"), nodes={})
    lunmap = joined(node_map("n1", luns={"a": bare}), without_node).conversion.lunmap
    assert lunmap.luns["a"].backing == Block("/dev/vg0/a")
