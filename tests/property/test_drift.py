"""Drift and changes of the map are distinguished on any kernel."""

from collections.abc import Set as AbstractSet

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.drift import DriftBaseline, find_drift, update_baseline, withhold_drift
from lunmapd.core.planning.plan import find_root_removals, objects_after, plan, with_dependents
from support.drift import REPORTED, apply_strictly, drifted
from support.strategies import NODES, lunmaps

Objects = dict[lio_objects.Key, lio_objects.DesiredObject]


Site = tuple[Objects, lio_objects.Objects, Objects]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Draw the last desired objects, the kernel after manual changes, and the objects desired now."""
    before = draw(lunmaps())
    # The node that has most to lose.
    node = max(NODES, key=lambda name: len(project_map(before, name)))
    after = draw(st.one_of(st.just(before), lunmaps(), _fewer(before)))
    was = project_map(before, node, {PORT_ID})
    return was, draw(drifted(dict(was))), project_map(after, node, {PORT_ID})


def _fewer(lunmap: Lunmap) -> st.SearchStrategy[Lunmap]:
    """Draw the map with some Luns less."""
    names = st.sets(st.sampled_from(sorted(lunmap.luns))) if lunmap.luns else st.just(set[str]())
    return names.map(
        lambda gone: replace(
            lunmap, luns={name: item for name, item in lunmap.luns.items() if name not in gone}
        )
    )


@given(sites())
def test_what_is_repaired_is_what_a_plan_does(site: Site) -> None:
    """With `repair` for all classes the decision is the whole plan, and reaches the desired objects."""
    was, kernel, desired = site
    steps = plan(desired, kernel)
    permitted = withhold_drift(steps, desired, kernel, DriftBaseline(was))
    assert tuple(replace(step, drift=False) for step in permitted.steps) == steps
    assert apply_strictly(kernel, permitted.steps) == desired


def _left(site: Site, reported: set[str]) -> set[lio_objects.Key]:
    """Return the drift of these classes that must be left, except for dependants of removed objects."""
    was, kernel, desired = site
    drifted = {
        name
        for name in find_drift(plan(desired, kernel), desired, kernel, DriftBaseline(was))
        if name[0] in reported
    }
    others = {name: "" for name in find_root_removals(desired, kernel) if name not in drifted}
    return drifted - with_dependents(others, kernel).keys()


@given(sites(), REPORTED)
def test_with_report_nothing_that_drifted_is_touched(site: Site, reported: set[str]) -> None:
    """Drift with `report` stays unchanged and is reported; a kernel accepts each remaining step."""
    was, kernel, desired = site
    permitted = withhold_drift(plan(desired, kernel), desired, kernel, DriftBaseline(was), reported)
    after, left = apply_strictly(kernel, permitted.steps), _left(site, reported)
    event(f"{min(len(left), 3)} left")
    for name in left:
        assert after.get(name) == kernel.get(name)
    told = {name: failure.reason for name, failure in permitted.held.items()}
    assert {name for name, reason in told.items() if reason == Reason.DRIFTED} == left
    assert set(told.values()) <= {Reason.DRIFTED, Reason.WAITING}


def _with_lun_0(left: set[lio_objects.Key], kernel: lio_objects.Objects) -> set[lio_objects.Key]:
    """Return each LUN 0 whose TPG is not disabled before, as its removal requires, with its parents."""
    found = {key for key, item in kernel.items() if lio_objects.answering_tpg(item) in left}
    waiting = list(found)
    while waiting:
        parents = set(lio_objects.parents_of(kernel[waiting.pop()])) - found
        found |= parents
        waiting += parents
    return found


def _with_replaced(
    waiting: AbstractSet[lio_objects.Key], desired: Objects, kernel: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Return what waits, with the objects that can't be replaced under it, and all that depends on them."""
    removed = with_dependents(find_root_removals(desired, kernel), kernel).keys()
    found, new = set(waiting), set(waiting)
    while new:
        parents = {key for name in new & kernel.keys() for key in lio_objects.parents_of(kernel[name])}
        kept = dict.fromkeys(parents & removed - found, "")
        new = set(with_dependents(kept, {**kernel, **desired})) - found
        found |= new
    return found


@given(sites(), REPORTED)
def test_with_report_everything_of_a_change_of_the_map_is_done(site: Site, reported: set[str]) -> None:
    """Every change of the map is applied, except for what waits for drift that is left."""
    was, kernel, desired = site
    permitted = withhold_drift(plan(desired, kernel), desired, kernel, DriftBaseline(was), reported)
    after, left = objects_after(kernel, permitted.steps), _left(site, reported)
    dependants = with_dependents(dict.fromkeys(left, ""), {**was, **kernel, **desired}).keys()
    waiting = _with_replaced(dependants | _with_lun_0(left, kernel), desired, kernel)
    for name in was.keys() | kernel.keys() | desired.keys():
        if name not in waiting:
            assert after.get(name) == desired.get(name), name


@given(sites())
def test_a_hand_in_what_the_map_leaves_alone_is_drift(site: Site) -> None:
    """Drift is every difference that the map doesn't explain, unless the map recreates the object."""
    was, kernel, desired = site
    found = find_drift(plan(desired, kernel), desired, kernel, DriftBaseline(was))
    for name in found:
        assert was.get(name) == desired.get(name) != kernel.get(name)
    if was == desired:
        assert found == {name for name in was.keys() | kernel.keys() if was.get(name) != kernel.get(name)}


@given(sites(), REPORTED)
def test_looking_again_finds_the_same_drift(site: Site, reported: set[str]) -> None:
    """The next pass leaves the same drift, and a pass with `repair` reaches the desired objects."""
    was, kernel, desired = site
    permitted = withhold_drift(plan(desired, kernel), desired, kernel, DriftBaseline(was), reported)
    after = objects_after(kernel, permitted.steps)
    left = plan(desired, after)
    known = update_baseline(DriftBaseline(was), desired, after, left)
    again = withhold_drift(left, desired, after, known, reported)
    assert again.steps == ()
    assert again.held.keys() == permitted.held.keys()
    assert objects_after(after, withhold_drift(left, desired, after, known).steps) == desired
