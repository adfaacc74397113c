"""Any out-of-band edit changes a Lun no further than a commit could."""

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.map.rules import check_changes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.out_of_band import accept_edits
from lunmapd.core.node.projection.project_map import project_map
from support.strategies import MIB, NODES, lunmaps


@st.composite
def edited(draw: st.DrawFn) -> tuple[Lunmap, Lunmap]:
    """Draw a map, and what edits of its Luns made of it."""
    before, other = draw(lunmaps()), draw(lunmaps())
    luns: dict[str, Lun] = {}
    for name, lun in before.luns.items():
        changed = {
            "serial": draw(st.sampled_from(("7" * 32, "x"))),
            "size": draw(st.sampled_from((512, MIB, 4 * MIB))),
        }
        some = {field: changed[field] for field in draw(st.sets(st.sampled_from(sorted(changed))))}
        luns[name] = draw(st.sampled_from((lun, replace(lun, **some), other.luns.get(name, lun))))
    nodes = {
        name: replace(node, devices=draw(st.sampled_from((node.devices, {}, {"/dev/vg": "/dev/n2"}))))
        for name, node in before.nodes.items()
    }
    return before, replace(before, luns=luns, nodes=nodes)


@given(edited(), st.sampled_from(NODES))
def test_no_edit_does_more_than_a_commit(maps: tuple[Lunmap, Lunmap], node: str) -> None:
    """The effective map could have been committed: no volume replaces another, and no file shrinks."""
    before, after = maps
    recorded = {f"luns/{name}": encode(lun) for name, lun in before.luns.items() if lun != after.luns[name]}
    recorded |= {
        f"nodes/{name}": encode(item) for name, item in before.nodes.items() if item != after.nodes[name]
    }
    judged = accept_edits(after, recorded)
    event("refused" if judged.failures else "followed")
    assert check_changes(before, judged.lunmap) == ()
    assert accept_edits(judged.lunmap, recorded).failures == {}
    was, now = project_map(before, node), project_map(judged.lunmap, node)
    for name in was.keys() & now.keys():
        old, new = was[name], now[name]
        if isinstance(old, lio_objects.StorageObject) and isinstance(new, lio_objects.StorageObject):
            assert old.serial == new.serial
            assert old.plugin != new.plugin or (old.path == new.path and old.size <= new.size)
