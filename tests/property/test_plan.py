"""The laws of the plan, on any map and any kernel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.lunmap import Lunmap, initiators_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import broken_documents, keep_observed
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import disruption, plan
from support.drift import apply_strictly
from support.strategies import NODES, kernels, lunmaps

Objects = dict[lio_objects.Key, lio_objects.Object]


@given(kernels())
def test_nothing_to_do_when_equal(objects: Objects) -> None:
    """The plan from a state without leftovers to itself is empty."""
    whole = {name: item for name, item in objects.items() if not isinstance(item, lio_objects.Leftover)}
    assert plan(whole, whole) == ()


@given(lunmaps(), st.sampled_from(NODES), kernels())
def test_following_the_plan_reaches_the_desired(lunmap: Lunmap, node: str, observed: Objects) -> None:
    """Applied in its order, with steps that a kernel accepts, the plan gives exactly the desired objects."""
    desired = project_map(lunmap, node, {PORT_ID})
    assert apply_strictly(observed, plan(desired, observed)) == desired


@given(lunmaps(), lunmaps(), st.sampled_from(NODES), kernels(), st.data())
def test_a_crash_anywhere_then_another_map_converges(
    first: Lunmap, second: Lunmap, node: str, observed: Objects, data: st.DataObject
) -> None:
    """Killed after any number of steps and then given another map, the next plan still reaches that map."""
    steps = plan(project_map(first, node), observed)
    crashed = apply_strictly(observed, steps[: data.draw(st.integers(0, len(steps)))])
    desired = project_map(second, node)
    assert apply_strictly(crashed, plan(desired, crashed)) == desired


@given(lunmaps(), st.sampled_from(NODES))
def test_what_is_projected_stands(lunmap: Lunmap, node: str) -> None:
    """Every parent of a projected object is projected too, so a valid map can be built from nothing."""
    desired = project_map(lunmap, node)
    assert all(parent in desired for item in desired.values() for parent in lio_objects.parents_of(item))


@given(lunmaps(), st.sampled_from(NODES), kernels())
def test_every_step_says_why(lunmap: Lunmap, node: str, observed: Objects) -> None:
    """Each step has a reason and a disruption, and prints as one line."""
    for step in plan(project_map(lunmap, node), observed):
        assert step.reason
        assert disruption(step) >= 0
        assert "\n" not in str(step)


@given(lunmaps(), st.sampled_from(NODES), kernels(), st.data())
def test_what_is_unreadable_stays(lunmap: Lunmap, node: str, observed: Objects, data: st.DataObject) -> None:
    """Objects of a document that can't be read are not touched by any step, and the plan still ends."""
    paths = [f"{section}/{name}" for section, name, _ in lunmap.documents()]
    bad = data.draw(st.sets(st.sampled_from(paths))) if paths else set()
    desired = keep_observed(project_map(lunmap, node), observed, bad, node)
    steps = plan(desired, observed)
    frozen = {f"luns/{name}" for name in lunmap.luns} & bad
    touched = {
        f"luns/{lio_objects.lun_served_by(step.item)}"
        for step in steps
        if not isinstance(step.item, lio_objects.Leftover)
    }
    assert not frozen & touched
    assert apply_strictly(observed, steps) == desired


@given(lunmaps())
def test_a_valid_map_has_no_suspects(lunmap: Lunmap) -> None:
    """The node's own check of the rules accepts every map that the writer accepts."""
    assert broken_documents(lunmap) == {}


@pytest.mark.parametrize("node", NODES)
@given(lunmap=lunmaps())
def test_nobody_sees_what_is_not_mapped(node: str, lunmap: Lunmap) -> None:
    """An initiator has a mapped LUN on a node only where a Lun's map says so."""
    allowed = {
        (entry.target, initiator, entry.lun)
        for lun in lunmap.luns.values()
        for entry in lun.maps
        for initiator in initiators_of(lunmap, entry)
    }
    for item in project_map(lunmap, node).values():
        if isinstance(item, lio_objects.MappedLun):
            assert (item.iqn, item.initiator, item.lun) in allowed
