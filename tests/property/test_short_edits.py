"""Laws of the edits of the short verbs: done twice is done once, and no other object changes."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import SECTIONS, Access, Group, Initiator, Lun, Lunmap, Node, Target
from lunmapd.core.edits.assign import assign_fields
from lunmapd.core.edits.errors import EditRefusedError
from lunmapd.core.edits.find import Grantee
from lunmapd.core.edits.hosts import (
    add_host,
    add_members,
    create_group,
    delete_group,
    remove_host,
    remove_members,
    rename_host,
)
from lunmapd.core.edits.luns import add_lun, drop_lun, rename_lun, resize_lun
from lunmapd.core.edits.maps import AskedMap, map_lun, unmap_lun
from lunmapd.core.edits.objects import with_object
from lunmapd.core.edits.servers import add_node, create_target, delete_target, remove_node
from lunmapd.core.history.changes import diff_maps
from lunmapd.core.map.addresses import new_addresses, occupants_of
from lunmapd.core.map.short_names import NoSuchNameError
from support.free_numbers import FREE
from support.strategies import GROUPS, INITIATORS, LUNS, NODES, TARGETS, lunmaps

NEW = "iqn.2026-01.org.example:new"

Edit = Callable[[Lunmap], Lunmap]


@st.composite
def edits(draw: st.DrawFn) -> tuple[Edit, set[str]]:
    """Draw an edit, and the paths or sections of the objects that it may change."""
    lun, host, group = (draw(st.sampled_from(names)) for names in (LUNS, INITIATORS, GROUPS))
    target, node, unmap = draw(st.sampled_from(TARGETS)), draw(st.sampled_from(NODES)), draw(st.booleans())
    new = Lun(Block("/dev/vg/new"), size=draw(st.sampled_from((None, 1 << 20))))
    every: list[tuple[Edit, set[str]]] = [
        (lambda m: add_lun(m, "new", new), {"luns/new"}),
        (lambda m: rename_lun(m, lun, "new"), {f"luns/{lun}", "luns/new"}),
        (lambda m: resize_lun(m, lun, 4 << 20), {f"luns/{lun}"}),
        (lambda m: drop_lun(m, lun, unmap=unmap), {f"luns/{lun}"}),
        (lambda m: unmap_lun(m, lun, Grantee(host)) if lun in m.luns else m, {f"luns/{lun}"}),
        (lambda m: unmap_lun(m, lun, None, target) if lun in m.luns else m, {f"luns/{lun}"}),
        (lambda m: add_host(m, NEW, Initiator("n"), m.groups), {f"initiators/{NEW}", "groups"}),
        (lambda m: rename_host(m, host, NEW), {"initiators", "groups", "luns"}),
        (lambda m: remove_host(m, host, unmap=unmap), {f"initiators/{host}", "groups", "luns"}),
        (lambda m: create_group(m, "new", Group((host,))), {"groups/new"}),
        (lambda m: add_members(m, group, (host,)), {f"groups/{group}"}),
        (lambda m: remove_members(m, group, (host,)), {f"groups/{group}"}),
        (lambda m: delete_group(m, group, unmap=unmap), {f"groups/{group}", "luns"}),
        (lambda m: create_target(m, NEW, Target({})), {f"targets/{NEW}"}),
        (lambda m: delete_target(m, target, unmap=unmap), {f"targets/{target}", "luns"}),
        (lambda m: add_node(m, "new", Node(0), m.targets, FREE), {"nodes/new", "targets"}),
        (lambda m: remove_node(m, node), {f"nodes/{node}", "targets", "luns"}),
        (
            lambda m: with_object(
                m, "nodes", node, assign_fields("nodes", node, m.nodes[node], ("labels.rack=r2",))
            ),
            {f"nodes/{node}"},
        ),
    ]
    return draw(st.sampled_from(every))


@given(lunmaps(), edits())
def test_an_edit_done_twice_is_done_once_and_keeps_all_other_objects(
    lunmap: Lunmap, drawn: tuple[Edit, set[str]]
) -> None:
    """Whatever the map is: an edit changes only what it names, or is refused."""
    edit, touched = drawn
    try:
        once = edit(lunmap)
    except (EditRefusedError, NoSuchNameError):
        return
    assert edit(once) == once
    for change in diff_maps(lunmap, once):
        assert touched & {change.path, change.path.partition("/")[0]}
    for section in SECTIONS:
        kept = [name for name in once.section(section) if name in lunmap.section(section)]
        assert kept == [name for name in lunmap.section(section) if name in once.section(section)]


@given(
    lunmaps(),
    st.sampled_from((*map(Grantee, INITIATORS), *(Grantee(group=name) for name in GROUPS))),
    st.sampled_from((None, *Access)),
)
def test_a_mapped_lun_has_addresses_that_were_free(
    lunmap: Lunmap, grantee: Grantee, access: Access | None
) -> None:
    """No address of another Lun changes, and each new one was empty; a second time nothing changes."""
    if grantee.group and grantee.group not in lunmap.groups:
        return
    for name in lunmap.luns:
        for target in lunmap.targets:
            asked = AskedMap(grantee, target, access=access)
            try:
                after = map_lun(lunmap, name, asked, FREE)
            except EditRefusedError:
                continue
            assert map_lun(after, name, asked, FREE) == after
            before = occupants_of(lunmap, lunmap.luns)
            new = new_addresses(lunmap, after)
            assert before.items() <= occupants_of(after, after.luns).items()
            assert not before.keys() & new.keys()
            assert {occupant.name for occupant in new.values()} <= {name}
            assert {address.initiator for address in new} <= set(grantee.members(lunmap))
