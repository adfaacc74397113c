"""What was last seen as desired, by which drift is recognised."""

from msgspec.structs import replace

from lunmapd.agent.reconcile.baseline import BaselineStore
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import PassInput, compare
from lunmapd.core.planning.drift import find_drift, withhold_drift
from lunmapd.core.planning.plan import Action, objects_after, plan
from lunmapd.core.secrets.sealing import Vault
from support.agents import T, mapped_luns

LUN: lio_objects.Key = ("lun", T, 1, "l1")
BACKING: lio_objects.Key = ("storage_object", "l1")


def test_what_a_repair_removes_to_make_it_again_is_no_drift() -> None:
    """If the repair is cut short, the object is made again, also if drift of its class is only reported."""
    given = PassInput("n1", 1, mapped_luns(1), {}, Vault("c"))
    desired = compare(given, Observed()).desired
    store = BaselineStore()
    store.record_full(compare(given, Observed(desired)), ())
    backing, lun = desired[BACKING], desired[LUN]
    assert isinstance(backing, lio_objects.StorageObject)
    assert isinstance(lun, lio_objects.TpgLun)
    changed = {**desired, BACKING: replace(backing, path="/dev/other"), LUN: replace(lun, group=7)}
    repair = withhold_drift(plan(desired, changed), desired, changed, store.current, {"lun"}).steps
    removals = [step for step in repair if step.action is Action.DELETE]
    assert LUN in {lio_objects.key_of(step.item) for step in removals if step.drift}
    store.begin(repair)
    left = objects_after(changed, removals)
    assert LUN not in find_drift(plan(desired, left), desired, left, store.current)
