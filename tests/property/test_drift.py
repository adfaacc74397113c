"""Drift and changes of the map are distinguished on any kernel."""

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import PORT_ID, project_map
from lunmapd.core.planning.drift import CLASSES, Known, find, judge, learn
from lunmapd.core.planning.plan import causes, follow, plan, with_dependents
from property.test_plan import strictly
from support.strategies import NODES, lunmaps

Objects = dict[lio_objects.Key, lio_objects.Object]

STRANGER = "iqn.2026-01.org.example:stranger"
OTHER = lio_objects.ChapCredentials("u", Secret("another password"))


def _altered(item: lio_objects.Object) -> lio_objects.Object:  # noqa: C901, PLR0911 - one arm a kind
    """Return the object with manually changed settings; an object without settings is returned unchanged."""
    match item:
        case lio_objects.StorageObject() if item.name.startswith("db"):
            return replace(item, path="/dev/other")
        case lio_objects.StorageObject():
            return replace(item, attributes=tuple((name, "7") for name, _ in item.attributes))
        case lio_objects.Tpg():
            return replace(item, parameters=(*item.parameters, ("DefaultTime2Wait", "9")))
        case lio_objects.TpgLun():
            return replace(item, group=item.group + 1)
        case lio_objects.NodeAcl():
            return replace(item, credentials=OTHER)
        case lio_objects.MappedLun():
            return replace(item, write_protect=not item.write_protect)
        case lio_objects.Portal():
            return replace(item, iser=not item.iser)
        case lio_objects.Enabled():
            return replace(item, port_id=item.port_id + 100)
        case _:
            return item


def _additions(kernel: Objects) -> list[lio_objects.Object]:
    """Return objects that an admin could add: portals, ACLs of a stranger, and mappings for it."""
    tpgs = [item for item in kernel.values() if isinstance(item, lio_objects.Tpg)]
    luns = [item for item in kernel.values() if isinstance(item, lio_objects.TpgLun)]
    return [
        *(lio_objects.Portal(tpg.iqn, tpg.tag, "10.9.9.9:3260") for tpg in tpgs),
        *(lio_objects.NodeAcl(tpg.iqn, tpg.tag, STRANGER) for tpg in tpgs),
        *(lio_objects.MappedLun(lun.iqn, lun.tag, STRANGER, 99, lun.storage_object, False) for lun in luns),
    ]


@st.composite
def handled(draw: st.DrawFn, kernel: Objects) -> Objects:
    """Draw a kernel after manual changes: objects removed with their dependants, altered, and added."""
    names = sorted(kernel, key=str)
    some = (
        st.sets(st.sampled_from(names), min_size=1, max_size=3) if names else st.just(set[lio_objects.Key]())
    )
    gone = with_dependents(dict.fromkeys(draw(some), ""), kernel)
    result = {name: item for name, item in kernel.items() if name not in gone}
    for name in sorted(draw(some) & result.keys(), key=str):
        result[name] = _altered(result[name])
    for item in _additions(result):
        if draw(st.booleans()) and all(parent in result for parent in lio_objects.parents_of(item)):
            result[lio_objects.key_of(item)] = item
    return result


REPORTED = st.one_of(st.just(set(CLASSES)), st.sets(st.sampled_from(CLASSES)))
Site = tuple[Objects, Objects, Objects]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Draw the last desired objects, the kernel after manual changes, and the objects desired now."""
    before = draw(lunmaps())
    # The node that has most to lose.
    node = max(NODES, key=lambda name: len(project_map(before, name)))
    after = draw(st.one_of(st.just(before), lunmaps(), _fewer(before)))
    was = project_map(before, node, {PORT_ID})
    return was, draw(handled(was)), project_map(after, node, {PORT_ID})


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
    permitted = judge(steps, desired, kernel, Known(was))
    assert tuple(replace(step, drift=False) for step in permitted.steps) == steps
    assert strictly(kernel, permitted.steps) == desired


def _left(site: Site, reported: set[str]) -> set[lio_objects.Key]:
    """Return the drift of these classes that must be left, except for dependants of removed objects."""
    was, kernel, desired = site
    drifted = {
        name for name in find(plan(desired, kernel), desired, kernel, Known(was)) if name[0] in reported
    }
    others = {name: "" for name in causes(desired, kernel) if name not in drifted}
    return drifted - with_dependents(others, kernel).keys()


@given(sites(), REPORTED)
def test_with_report_nothing_that_drifted_is_touched(site: Site, reported: set[str]) -> None:
    """Drift with `report` stays unchanged and is reported; a kernel accepts each remaining step."""
    was, kernel, desired = site
    permitted = judge(plan(desired, kernel), desired, kernel, Known(was), reported)
    after, left = strictly(kernel, permitted.steps), _left(site, reported)
    event(f"{min(len(left), 3)} left")
    for name in left:
        assert after.get(name) == kernel.get(name)
    told = {name: failure.reason for name, failure in permitted.held.items()}
    assert {name for name, reason in told.items() if reason == Reason.DRIFTED} == left
    assert set(told.values()) <= {Reason.DRIFTED, Reason.WAITING}


@given(sites(), REPORTED)
def test_with_report_everything_of_a_change_of_the_map_is_done(site: Site, reported: set[str]) -> None:
    """Every change of the map is applied, except for dependants of drift that is left."""
    was, kernel, desired = site
    permitted = judge(plan(desired, kernel), desired, kernel, Known(was), reported)
    after = follow(kernel, permitted.steps)
    waiting = with_dependents(dict.fromkeys(_left(site, reported), ""), {**was, **kernel, **desired})
    for name in was.keys() | kernel.keys() | desired.keys():
        if name not in waiting:
            assert after.get(name) == desired.get(name), name


@given(sites())
def test_a_hand_in_what_the_map_leaves_alone_is_drift(site: Site) -> None:
    """Drift is every difference that the map doesn't explain, unless the map recreates the object."""
    was, kernel, desired = site
    found = find(plan(desired, kernel), desired, kernel, Known(was))
    for name in found:
        assert was.get(name) == desired.get(name) != kernel.get(name)
    if was == desired:
        assert found == {name for name in was.keys() | kernel.keys() if was.get(name) != kernel.get(name)}


@given(sites(), REPORTED)
def test_looking_again_finds_the_same_drift(site: Site, reported: set[str]) -> None:
    """The next pass leaves the same drift, and a pass with `repair` reaches the desired objects."""
    was, kernel, desired = site
    permitted = judge(plan(desired, kernel), desired, kernel, Known(was), reported)
    after = follow(kernel, permitted.steps)
    left = plan(desired, after)
    known = learn(Known(was), desired, after, left)
    again = judge(left, desired, after, known, reported)
    assert again.steps == ()
    assert again.held.keys() == permitted.held.keys()
    assert follow(after, judge(left, desired, after, known).steps) == desired
