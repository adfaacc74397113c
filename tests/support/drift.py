"""Drift for property tests: drawn manual changes of a kernel, and a strict kernel for plans."""

from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.drift import CLASSES
from lunmapd.core.planning.plan import Action, Plan, objects_after, with_dependents

Objects = dict[lio_objects.Key, lio_objects.Object]
STRANGER = "iqn.2026-01.org.example:stranger"
OTHER = lio_objects.ChapCredentials("u", Secret("another password"))
REPORTED = st.one_of(st.just(set(CLASSES)), st.sets(st.sampled_from(CLASSES)))


def apply_strictly(objects: lio_objects.Objects, steps: Plan) -> Objects:
    """Follow the steps as a kernel would: nothing without its parents, nothing removed from under a child."""
    result = dict(objects)
    for step in steps:
        name = lio_objects.key_of(step.item)
        if step.action is Action.CREATE:
            assert name not in result, f"created twice: {step}"
        else:
            assert name in result, f"not there: {step}"
        if step.action is Action.DELETE:
            children = [other for other, item in result.items() if name in lio_objects.parents_of(item)]
            assert not children, f"{step} under {children}"
        else:
            assert all(parent in result for parent in lio_objects.parents_of(step.item)), f"no parent: {step}"
        if step.action is Action.UPDATE:
            assert lio_objects.fixed_fields(result[name]) == lio_objects.fixed_fields(step.item), (
                f"can't change in place: {step}"
            )
        result = objects_after(result, [step])
    return result


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


def _additions(kernel: Objects) -> list[lio_objects.DesiredObject]:
    """Return objects that an admin could add: portals, ACLs of a stranger, and mappings for it."""
    tpgs = [item for item in kernel.values() if isinstance(item, lio_objects.Tpg)]
    luns = [item for item in kernel.values() if isinstance(item, lio_objects.TpgLun)]
    return [
        *(lio_objects.Portal(tpg.iqn, tpg.tag, "10.9.9.9:3260") for tpg in tpgs),
        *(lio_objects.NodeAcl(tpg.iqn, tpg.tag, STRANGER) for tpg in tpgs),
        *(lio_objects.MappedLun(lun.iqn, lun.tag, STRANGER, 99, lun.storage_object, False) for lun in luns),
    ]


@st.composite
def drifted(draw: st.DrawFn, kernel: Objects) -> Objects:
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
