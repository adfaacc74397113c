"""Laws of joining the maps of single nodes."""

from hypothesis import given
from msgspec import structs

from lunmapd.core.base.backings import RamDisk
from lunmapd.core.base.lunmap import Lun, Lunmap, Map, initiators_of, reporting_nodes
from lunmapd.core.conversion.conversion import Conversion, RemarkKind
from lunmapd.core.conversion.join import join_maps
from lunmapd.core.conversion.rolling_move import rolling_move
from lunmapd.core.placement.backing_paths import source_on
from support.strategies import lunmaps


def seen(lunmap: Lunmap, lun: Lun) -> list[Map]:
    """Return the maps of a Lun that give it to somebody; a running LIO shows no others."""
    return [entry for entry in lun.maps if initiators_of(lunmap, entry)]


def part(lunmap: Lunmap, node: str) -> Lunmap:
    """Return what `lunmapd adopt` would draft on a node that serves a map, with tag 1 as of targetcli."""
    targets = {
        iqn: structs.replace(target, nodes={node: target.nodes[node]})
        for iqn, target in lunmap.targets.items()
        if node in target.nodes
    }
    luns = {}
    for name, lun in lunmap.luns.items():
        maps = tuple(entry for entry in seen(lunmap, lun) if entry.target in targets)
        if node in reporting_nodes(lunmap, lun) and maps:
            luns[name] = structs.replace(lun, nodes=(), maps=maps)
    own = structs.replace(lunmap.nodes[node], tpg_tag=1)
    return structs.replace(lunmap, luns=luns, targets=targets, nodes={node: own})


@given(lunmaps(floating=False))
def test_the_parts_of_a_map_give_the_map(lunmap: Lunmap) -> None:
    """The drafts of all nodes of a valid map, joined, contradict each other in nothing and lose no path."""
    joined = join_maps(
        [(node, Conversion(part(lunmap, node))) for node in lunmap.nodes] or [("", Conversion(lunmap))]
    )
    made = joined.conversion.lunmap
    assert [each for each in joined.conversion.remarks if each.kind is RemarkKind.LOST] == []
    assert len({node.tpg_tag for node in made.nodes.values()}) == len(made.nodes)
    moved = {move.node for move in rolling_move(joined) if move.reasons}
    assert moved == set(list(lunmap.nodes)[1:])
    for name, whole in lunmap.luns.items():
        lun = structs.replace(whole, maps=tuple(seen(lunmap, whole)))
        nodes = reporting_nodes(lunmap, lun)
        if not nodes or isinstance(lun.backing, RamDisk):
            continue
        found = made.luns[name]
        assert reporting_nodes(made, found) == nodes
        assert [source_on(found, node, made.nodes[node]) for node in nodes] == [
            source_on(lun, node, lunmap.nodes[node]) for node in nodes
        ]
        served = {iqn for node in nodes for iqn, target in lunmap.targets.items() if node in target.nodes}
        assert {*found.maps} == {entry for entry in seen(lunmap, lun) if entry.target in served}
