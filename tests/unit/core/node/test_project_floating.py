"""The projection of floating portal groups on the nodes."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, Lunmap, NodeState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID, TPG_PARAMETERS
from lunmapd.core.node.portals import serving_portals
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.node.projection.project_target import is_always_listed
from support.floating_map import FLOATING, GOLD, LUN, MIXED, PORTAL, H, T


def tpgs(lunmap: Lunmap, node: str) -> dict[int, bool]:
    """Return the tags of a node's TPGs, and whether discovery lists each while it is disabled."""
    objects = project_map(lunmap, node).values()
    return {item.tag: is_always_listed(item) for item in objects if isinstance(item, lio_objects.Tpg)}


def inside(lunmap: Lunmap, node: str, tag: int) -> set[lio_objects.DesiredObject]:
    """Return what a node has in a TPG."""
    objects = project_map(lunmap, node, {PORT_ID}).values()
    return {item for item in objects if getattr(item, "tag", None) == tag}


def test_each_node_of_the_list_has_the_whole_group() -> None:
    """Its TPG has portals, LUNs, ACLs and mapped LUNs alike on each of them; one port id everywhere."""
    for node in GOLD.nodes:
        assert {item for item in inside(FLOATING, node, 1001) if not isinstance(item, lio_objects.Tpg)} == {
            lio_objects.Portal(T, 1001, PORTAL),
            lio_objects.TpgLun(T, 1001, "a"),
            lio_objects.NodeAcl(T, 1001, H),
            lio_objects.MappedLun(T, 1001, H, 3, "a", write_protect=False),
            lio_objects.Enabled(T, 1001, 77),
        }
    assert inside(FLOATING, "n1", 1001) == inside(FLOATING, "n2", 1001)
    assert ("storage_object", "a") in project_map(FLOATING, "n2")
    assert project_map(FLOATING, "n3") == {}


def test_a_target_with_floating_groups_alone_has_no_other_tpg() -> None:
    """The nodes' own tags appear only where the target names the nodes."""
    assert tpgs(FLOATING, "n1") == {1001: True}
    assert tpgs(MIXED, "n1") == {1: False, 3: True, 1001: True}
    assert tpgs(MIXED, "n2") == {1: True, 3: True, 1001: True}


def test_a_group_has_the_settings_of_its_target() -> None:
    """Its TPG has the target's attributes and parameters; a remote one has no parameters."""
    given = replace(MIXED.targets[T], attributes={"login_timeout": 20}, parameters={"ImmediateData": "No"})
    lunmap = replace(MIXED, targets={T: given})
    own, remote = (project_map(lunmap, node)["tpg", T, 1001] for node in ("n1", "n3"))
    assert isinstance(own, lio_objects.Tpg)
    assert isinstance(remote, lio_objects.Tpg)
    assert ("ImmediateData", "No") in own.parameters
    assert ("login_timeout", "20") in own.attributes
    assert remote.parameters == TPG_PARAMETERS


def test_discovery_lists_the_group_on_nodes_that_can_not_own_it() -> None:
    """Such a node has a remote TPG of the group: its portals and ACLs, without LUNs, never enabled."""
    assert tpgs(MIXED, "n3") == {3: False, 1: True, 1001: True}
    assert {item for item in inside(MIXED, "n3", 1001) if not isinstance(item, lio_objects.Tpg)} == {
        lio_objects.Portal(T, 1001, PORTAL),
        lio_objects.NodeAcl(T, 1001, H),
    }
    drained = {name: replace(node, state=NodeState.DRAINED) for name, node in MIXED.nodes.items()}
    assert tpgs(replace(MIXED, nodes=drained), "n1") == {1: False, 1001: True}


def test_the_port_id_is_left_to_a_kernel_that_chooses_it() -> None:
    """Without the feature of the kernel the enablement has no id."""
    assert project_map(FLOATING, "n1")["enabled", T, 1001] == lio_objects.Enabled(T, 1001, 0)


def test_a_path_that_moves_keeps_its_target_port_group() -> None:
    """It is LIO's own on each node, whatever the node's own group is; a closed node refuses I/O there too."""
    open_others = replace(LUN, preferred="n1", others=AluaState.NON_OPTIMIZED)
    closed = replace(LUN, preferred="n1", others=AluaState.STANDBY)
    for lun, group in ((LUN, 0), (open_others, 0), (closed, 2)):
        objects = project_map(replace(MIXED, luns={"a": lun}), "n2")
        assert objects["lun", T, 1001, "a"] == lio_objects.TpgLun(T, 1001, "a", group)
        own = project_map(replace(MIXED, luns={"a": lun}), "n1")
        assert own["lun", T, 1, "a"] == lio_objects.TpgLun(T, 1, "a", 1)
        assert own["lun", T, 1001, "a"] == lio_objects.TpgLun(T, 1001, "a", 0)


def test_the_group_of_a_single_node_has_no_other_node() -> None:
    """A Lun behind it has what LIO keeps in one node: no target port group, reservations offered."""
    alone = replace(FLOATING.targets[T], floating={"gold": replace(GOLD, nodes=("n1",))})
    item = project_map(replace(FLOATING, targets={T: alone}), "n1")["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    assert item.alua is None
    assert dict(item.attributes)["emulate_pr"] == "1"


def test_only_the_owner_serves_the_portals_of_the_group() -> None:
    """A portal of a group counts where LIO has it enabled: at a standby node its address is elsewhere."""
    owner = project_map(MIXED, "n1")
    standby = {key: item for key, item in owner.items() if key != ("enabled", T, 1001)}
    assert serving_portals(owner) == {"10.0.0.1:3260", PORTAL}
    assert serving_portals(standby) == {"10.0.0.1:3260"}
