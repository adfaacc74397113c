"""The projection of a map on one node."""

import msgspec
import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Backing, Block, FileIO, Pscsi, RamDisk, User, source
from lunmapd.core.base.lunmap import (
    Access,
    AluaState,
    Group,
    Lun,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua, DefaultGroup
from lunmapd.core.node.governed import PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.placement.backing_paths import source_on
from support.small_map import LUN, MAP, H, T, drained


def test_a_lun_on_several_nodes_has_no_state_that_one_node_keeps() -> None:
    """Reservations, COMPARE AND WRITE and EXTENDED COPY are off where several nodes export the Lun."""
    alone = msgspec.structs.replace(MAP, targets={T: Target({"n1": PortalGroup(1)})})
    for lunmap, value in ((MAP, "0"), (alone, "1")):
        item = project_map(lunmap, "n1")["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        assert dict(item.attributes)["emulate_pr"] == value
        assert dict(item.attributes)["emulate_write_cache"] == "0"


def test_the_kernels_own_group_is_desired_alike_for_every_lun() -> None:
    """It is optimized, not preferred and implicit; a Lun of one node has no other group."""
    alone = msgspec.structs.replace(MAP, targets={T: Target({"n1": PortalGroup(1)})})
    for lunmap, group in ((MAP, Alua(1, AluaState.OPTIMIZED)), (alone, None)):
        item = project_map(lunmap, "n1")["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        assert item.alua == group
        assert item.default_group is DEFAULT_GROUP
        assert item.default_group == DefaultGroup("optimized", False, "Implicit")


@pytest.mark.parametrize(
    ("lun", "nodes", "states"),
    [
        (LUN, (), (("optimized", False), ("optimized", False))),
        (LUN, ("n1",), (("non-optimized", False), ("optimized", False))),
        (replace(LUN, preferred="n1"), (), (("optimized", True), ("non-optimized", False))),
        (replace(LUN, preferred="n1"), ("n1",), (("non-optimized", False), ("optimized", False))),
        (replace(LUN, preferred="n1"), ("n2",), (("optimized", True), ("non-optimized", False))),
        (
            replace(LUN, preferred="n1", others=AluaState.STANDBY),
            ("n1",),
            (("non-optimized", False), ("standby", False)),
        ),
    ],
)
def test_hosts_are_led_away_from_a_drained_node(
    lun: Lun, nodes: tuple[str, ...], states: tuple[tuple[str, bool], ...]
) -> None:
    """Its paths are not optimized, and those of the others are; a path that the map closes stays closed."""
    lunmap = drained(replace(MAP, luns={"a": lun}), *nodes)
    found = [project_map(lunmap, node)["storage_object", "a"] for node in ("n1", "n2")]
    groups = [item.alua for item in found if isinstance(item, lio_objects.StorageObject)]
    assert tuple((each.state, each.preferred) for each in groups if each is not None) == states


@pytest.mark.parametrize("scope", list(Scope))
def test_what_is_chosen_for_a_shared_lun_is_offered(scope: Scope) -> None:
    """Reservations and COMPARE AND WRITE are as chosen; EXTENDED COPY is never offered by several nodes."""
    lun = msgspec.structs.replace(LUN, shared=Shared(reservations=scope, compare_and_write=Scope.OFF))
    item = project_map(msgspec.structs.replace(MAP, luns={"a": lun}), "n1")["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    values = dict(item.attributes)
    offered = "1" if scope is Scope.PER_NODE else "0"
    assert (values["emulate_pr"], values["emulate_caw"], values["emulate_3pc"]) == (offered, "0", "0")


def test_settings_of_the_map_follow_those_that_are_governed() -> None:
    """Attributes are sorted after lunmapd's own; a TPG has none that is LIO's default."""
    lun = msgspec.structs.replace(
        LUN, vendor="A", product="B", attributes={"emulate_tpu": 1, "block_size": 512}
    )
    target = msgspec.structs.replace(
        MAP.targets[T],
        attributes={"t10_pi": 0, "login_timeout": 20},
        parameters={"MaxConnections": "1", "InitialR2T": "No"},
    )
    objects = project_map(msgspec.structs.replace(MAP, luns={"a": lun}, targets={T: target}), "n1")
    item, tpg = objects["storage_object", "a"], objects["tpg", T, 1]
    assert isinstance(item, lio_objects.StorageObject)
    assert item.attributes[-2:] == (("block_size", "512"), ("emulate_tpu", "1"))
    assert (item.vendor, item.product) == ("A", "B")
    assert tpg == lio_objects.Tpg(
        T, 1, (*TPG_ATTRIBUTES, ("login_timeout", "20")), (*TPG_PARAMETERS, ("InitialR2T", "No"))
    )


def test_a_node_may_serve_by_rdma_too() -> None:
    """The portals for iSER are portals of every target of the node."""
    node = msgspec.structs.replace(MAP.nodes["n1"], iser_portals=("10.1.0.1:3260",))
    objects = project_map(msgspec.structs.replace(MAP, nodes={"n1": node}), "n1")
    assert {item.address: item.iser for item in objects.values() if isinstance(item, lio_objects.Portal)} == {
        "10.0.0.1:3260": False,
        "10.1.0.1:3260": True,
    }


def test_a_block_device_has_its_own_size() -> None:
    """The size of a block Lun is the device's, so the storage object does not set one."""
    lunmap = msgspec.structs.replace(MAP, luns={"a": Lun(Block("/dev/a"), "1" * 32, 1 << 20, maps=LUN.maps)})
    item = project_map(lunmap, "n1")["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert (item.plugin, item.size) == ("iblock", 0)


def test_a_node_that_is_not_in_the_map_has_nothing() -> None:
    """An unknown node gets no objects, nor does a node that serves no target of the Lun."""
    assert project_map(MAP, "n9") == {}
    elsewhere = msgspec.structs.replace(MAP, targets={T: Target({"n2": PortalGroup(7)})})
    assert project_map(elsewhere, "n1") == {}


def test_the_port_id_is_that_of_the_map_where_the_kernel_has_one() -> None:
    """Nodes differ in their relative port id where the kernel lets it be set."""
    assert lio_objects.Enabled(T, 2, 7) in project_map(MAP, "n2", {PORT_ID}).values()
    assert lio_objects.Enabled(T, 2, 0) in project_map(MAP, "n2").values()


def test_read_only_maps_are_write_protected() -> None:
    """Access ro gives a write-protected mapped LUN."""
    lun = msgspec.structs.replace(LUN, maps=(Map(T, 3, H, access=Access.READ_ONLY),))
    objects = project_map(msgspec.structs.replace(MAP, luns={"a": lun}), "n1")
    assert lio_objects.MappedLun(T, 1, H, 3, "a", write_protect=True) in objects.values()


@pytest.mark.parametrize(
    ("backing", "expected"),
    [
        (FileIO("/srv/a"), {"emulate_3pc": "0", "max_write_same_len": "0"}),
        (Block("/dev/a"), {"emulate_3pc": "0", "max_write_same_len": "0"}),
        (RamDisk(True), {"emulate_3pc": "0", "max_write_same_len": "0"}),
        (Pscsi("/dev/a"), {}),
        (User("x/y"), {}),
    ],
)
def test_a_read_only_map_switches_off_what_would_get_around_it(
    backing: Backing, expected: dict[str, str]
) -> None:
    """For all initiators of the Lun; a Lun without such a map has LIO's values, and pays nothing."""
    nodes = {"n1": PortalGroup(1)}
    alone = msgspec.structs.replace(MAP, targets={T: Target(nodes)})

    def settings(*access: Access) -> dict[str, str]:
        maps = tuple(Map(T, number, H, access=each) for number, each in enumerate(access))
        lun = msgspec.structs.replace(LUN, backing=backing, maps=maps)
        item = project_map(msgspec.structs.replace(alone, luns={"a": lun}), "n1")["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        return dict(item.attributes)

    for access in ((Access.READ_ONLY,), (Access.READ_WRITE, Access.READ_ONLY)):
        assert settings(*access).items() >= expected.items()
    free = settings(Access.READ_WRITE)
    assert "max_write_same_len" not in free
    assert free.get("emulate_3pc", "1") == "1"


def test_a_group_is_each_of_its_initiators() -> None:
    """A map to a group gives every member an ACL and a mapped LUN; a group that is missing gives none."""
    lun = msgspec.structs.replace(LUN, maps=(Map(T, 3, group="g"),))
    lunmap = msgspec.structs.replace(MAP, luns={"a": lun}, groups={"g": Group((H, H + "2"))})
    seen = {
        item.initiator
        for item in project_map(lunmap, "n1").values()
        if isinstance(item, lio_objects.MappedLun)
    }
    assert seen == {H, H + "2"}
    without = project_map(msgspec.structs.replace(lunmap, groups={}), "n1")
    assert not any(isinstance(item, lio_objects.NodeAcl | lio_objects.MappedLun) for item in without.values())


def test_a_lun_may_name_the_nodes_that_report_it() -> None:
    """Nodes that a Lun does not name have nothing of it."""
    lunmap = msgspec.structs.replace(MAP, luns={"a": msgspec.structs.replace(LUN, nodes=("n2",))})
    assert ("storage_object", "a") not in project_map(lunmap, "n1")
    item = project_map(lunmap, "n2")["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert dict(item.attributes)["emulate_pr"] == "1"


def test_what_stands_for_another_node_asks_for_no_rdma() -> None:
    """A node without RDMA lists the iSER portals of another one, and need not listen for iSER there."""
    rdma = msgspec.structs.replace(MAP.nodes["n2"], portals=(), iser_portals=("10.0.0.2:3260",))
    lunmap = msgspec.structs.replace(MAP, nodes={**MAP.nodes, "n2": rdma})
    assert lio_objects.Portal(T, 2, "10.0.0.2:3260", iser=False) in project_map(lunmap, "n1").values()
    assert lio_objects.Portal(T, 2, "10.0.0.2:3260", iser=True) in project_map(lunmap, "n2").values()


def test_a_drained_node_has_all_but_the_open_door() -> None:
    """The TPGs of a drained node are not enabled, and nothing else differs."""
    drained = msgspec.structs.replace(MAP.nodes["n1"], state=NodeState.DRAINED)
    lunmap = msgspec.structs.replace(MAP, nodes={**MAP.nodes, "n1": drained})
    assert project_map(MAP, "n1").keys() - project_map(lunmap, "n1").keys() == {("enabled", T, 1)}


def test_a_target_may_use_some_portals_of_a_node() -> None:
    """Only the portals that the target names for the node are made."""
    node = Node(1, ("10.0.0.1:3260", "10.1.0.1:3260"))
    target = Target({"n1": PortalGroup(1, ("10.1.0.1:3260",))})
    lunmap = msgspec.structs.replace(MAP, targets={T: target}, nodes={"n1": node})
    portals = [
        item.address for item in project_map(lunmap, "n1").values() if isinstance(item, lio_objects.Portal)
    ]
    assert portals == ["10.1.0.1:3260"]


@pytest.mark.parametrize(
    ("backing", "path"),
    [
        (Block("/dev/vg/a", {"n2": "/dev/b"}), "/dev/san/vg/a"),
        (Block("/dev/vg/a", {"n1": "/dev/b"}), "/dev/b"),
        (Block("/dev/special/a"), "/x/a"),
        (Block("/srv/a"), "/srv/a"),
        (User("rbd/dev/a"), "rbd/dev/a"),
        (User("rbd/a", {"n1": "rbd/b"}), "rbd/b"),
        (RamDisk(), ""),
    ],
)
def test_paths_differ_by_node(backing: Backing, path: str) -> None:
    """A Lun's override has priority, then the longest prefix that the node rewrites.

    A value without path stays.
    """
    node = Node(1, devices={"/dev/": "/dev/san/", "/dev/special/": "/x/"})
    assert source_on(Lun(backing), "n1", node) == path


@pytest.mark.parametrize(
    ("devices", "path", "expected"),
    [
        ({"/dev/sdb": "/dev/sdc"}, "/dev/sdb", "/dev/sdc"),
        ({"/dev/sdb": "/dev/sdc"}, "/dev/sdba", "/dev/sdba"),
        ({"/dev/vg0": "/dev/vg1"}, "/dev/vg01/x", "/dev/vg01/x"),
        ({"/dev/vg0": "/dev/vg1"}, "/dev/vg0/x", "/dev/vg1/x"),
        ({"/dev/vg0/": "/dev/vg1"}, "/dev/vg0/x", "/dev/vg1/x"),
        ({"/dev/vg0": "/dev/vg1/"}, "/dev/vg0/x", "/dev/vg1/x"),
        ({"/dev/vg0/": "/dev/vg1/"}, "/dev/vg0", "/dev/vg1"),
        ({"/": "/san"}, "/dev/a", "/san/dev/a"),
        ({"/san": "/"}, "/san/dev/a", "/dev/a"),
        ({"/san": "/"}, "/san", "/"),
        ({"/dev": "/x", "/dev/vg/": "/y"}, "/dev/vg/a", "/y/a"),
        ({"/dev": "/x", "/dev/v": "/y"}, "/dev/vg/a", "/x/vg/a"),
        ({"/dev////": "/x", "/dev/vg": "/y"}, "/dev/vg/a", "/y/a"),
    ],
)
def test_a_node_rewrites_whole_parts_of_a_path(devices: dict[str, str], path: str, expected: str) -> None:
    """A prefix matches whole path components, and '/' at its end makes no difference."""
    assert source_on(Lun(Block(path)), "n1", Node(1, devices=devices)) == expected


def test_each_backing_has_one_source() -> None:
    """Devices and files are known by their path, programs by their configuration, memory by nothing."""
    assert [source(backing) for backing in (Pscsi("/dev/sg1"), User("rbd/a"), RamDisk())] == [
        "/dev/sg1",
        "rbd/a",
        "",
    ]


def test_the_size_of_a_device_is_asked_for_and_no_state_of_it() -> None:
    """A storage object on a device knows the declared size; that alone makes no other object of it."""
    small, large = (
        project_map(replace(MAP, luns={"a": replace(LUN, backing=Block("/dev/a"), size=size)}), "n1")
        for size in (None, 1 << 30)
    )
    (old,), (new,) = (
        [item for item in found.values() if isinstance(item, lio_objects.StorageObject)]
        for found in (small, large)
    )
    assert (old.declared.size, new.declared.size, new.size) == (0, 1 << 30, 0)
    assert (old, hash(old)) == (new, hash(new))
    assert old.declared != 0
