"""Edits of floating portal groups."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Failback, FloatingGroup, Target
from lunmapd.core.edits.errors import DiffersError
from lunmapd.core.edits.floating import assign_floating, create_floating, delete_floating
from lunmapd.core.edits.maps import FreeNumbers
from lunmapd.core.map.short_names import NoSuchNameError
from support.small_map import MAP, T

POOL = "iqn.2026-01.org.example:pool"
ASKED = FloatingGroup(0, ("10.0.0.9:3260",), ())
FREE = FreeNumbers(lambda *_: 0, lambda _: 77)


def test_a_group_is_created_with_its_target() -> None:
    """It has an unused tag and all nodes; a target that is there stays; the second time changes nothing."""
    once = create_floating(MAP, POOL, "gold", ASKED, FREE)
    made = replace(ASKED, tpg_tag=77, nodes=tuple(sorted(MAP.nodes)))
    assert once.targets[POOL] == Target({}, floating={"gold": made})
    assert create_floating(once, POOL, "gold", ASKED, FREE) is once
    beside = create_floating(MAP, T, "gold", replace(ASKED, nodes=("n1",)), FREE)
    assert beside.targets[T].nodes == MAP.targets[T].nodes
    assert beside.targets[T].floating["gold"].nodes == ("n1",)


def test_a_group_that_differs_is_refused() -> None:
    """With the verb that changes it; so is a node that the map lacks."""
    once = create_floating(MAP, POOL, "gold", ASKED, FREE)
    with pytest.raises(DiffersError, match=f"'lunmapctl float set {POOL} gold failback=VALUE'"):
        create_floating(once, POOL, "gold", replace(ASKED, failback=Failback.MANUAL), FREE)
    with pytest.raises(NoSuchNameError, match="no node 'n9'"):
        create_floating(MAP, POOL, "gold", replace(ASKED, nodes=("n9",)), FREE)


def test_fields_of_a_group_are_set() -> None:
    """By the names of the map file, also for a name with dots; only of a group that is there."""
    once = create_floating(MAP, POOL, "rack.1", ASKED, FREE)
    words = ["nodes=n2,n1", "failback=manual"]
    group = assign_floating(once, POOL, "rack.1", words).targets[POOL].floating["rack.1"]
    assert (group.nodes, group.failback, group.tpg_tag) == (("n2", "n1"), Failback.MANUAL, 77)
    with pytest.raises(NoSuchNameError, match=r"did you mean 'rack\.1'"):
        assign_floating(once, POOL, "rack.2", words)


def test_a_group_is_deleted() -> None:
    """Its target stays; a second time changes nothing."""
    once = create_floating(MAP, POOL, "gold", ASKED, FREE)
    gone = delete_floating(once, POOL, "gold")
    assert gone.targets[POOL] == Target({})
    assert delete_floating(gone, POOL, "gold") is gone
