"""Storage objects that have opened something else than their path leads to."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Access, Lunmap, Map
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.node.opening import Opened
from lunmapd.core.planning.decide import Decision, PassInput, compare, decide, impacts
from lunmapd.core.planning.drift import CLASSES, DriftBaseline
from lunmapd.core.planning.guard import MassRemoval
from lunmapd.core.planning.other_data import AddressRules, Reuse
from lunmapd.core.planning.outcome import kept_objects
from lunmapd.core.planning.plan import Action, plan
from lunmapd.core.secrets.sealing import Vault
from support.agents import H, T, mapped_luns

LUNMAP = mapped_luns(*range(10))
HERE = (IscsiSession(T, 1, H, LOGGED_IN),)


def wanted(lunmap: Lunmap = LUNMAP) -> lio_objects.DesiredObjects:
    """Return what the map asks of n1."""
    return compute_desired(lunmap, {}, "n1", Observed(), Vault("c")).objects


def kernel(state: NameState, names: Iterable[str], *sessions: IscsiSession) -> Observed:
    """Return the kernel as the map asks for it, with the named backings in this state."""
    opened = {NameState.RETURNED: Opened.GONE, NameState.REPLACED: Opened.OTHER}
    objects = dict[lio_objects.Key, lio_objects.Object](wanted())
    for name in names:
        item = objects["storage_object", name]
        assert isinstance(item, lio_objects.StorageObject)
        objects["storage_object", name] = replace(item, opened=opened[state])
    backings = {name: BackingFacts(state, other="the file with inode 7") for name in names}
    return Observed(objects, sessions=sessions, backings=backings)


def decision(
    observed: Observed, lunmap: Lunmap = LUNMAP, baseline: DriftBaseline | None = None, **fields: object
) -> Decision:
    """Decide a pass of n1."""
    given = replace(PassInput("n1", 1, lunmap, {}, Vault("c")), **fields)
    return decide(given, compare(given, observed), baseline, {}, {})


@pytest.mark.parametrize("sessions", [(), HERE])
def test_other_data_is_never_opened_by_itself(sessions: tuple[IscsiSession, ...]) -> None:
    """Whether or not an initiator is logged in, what was opened stays, with the ways out."""
    found = decision(kernel(NameState.REPLACED, ["l3"], *sessions))
    assert found.steps == ()
    held = found.held["storage_object", "l3"]
    assert held.reason == "BackingReplaced"
    assert "/dev/l3 now leads to the file with inode 7" in held.message
    assert "override other-data" in held.message
    assert found.held["lun", T, 1, "l3"].reason == "Waiting"


def test_an_override_opens_other_data() -> None:
    """With the class allowed for the Lun it is replaced, with what depends on it; another Lun is not."""
    observed = kernel(NameState.REPLACED, ["l3", "l4"])
    for reuse in (Reuse(frozenset({"l3"})), Reuse(all=True)):
        found = decision(observed, addresses=AddressRules(reuse=reuse))
        luns = {lio_objects.lun_served_by(step.item) for step in found.steps}
        assert luns == ({"l3", "l4"} if reuse.all else {"l3"})
        assert {step.action for step in found.steps} == {Action.DELETE, Action.CREATE}
        assert found.disruptions[Action.CREATE, ("storage_object", "l3")] is Disruption.OTHER_DATA


def test_no_setting_opens_other_data() -> None:
    """The setting `allow` has no class for it; a plan shows the class."""
    observed = kernel(NameState.REPLACED, ["l3"])
    given = PassInput("n1", 1, LUNMAP, {}, Vault("c"), allow=Disruption.OTHER_DATA)
    assert decision(observed, allow=given.allow).steps == ()
    worst = {
        lio_objects.key_of(step.item): impact.worst
        for step, impact in impacts(given, compare(given, observed), {})
    }
    assert worst["storage_object", "l3"] is Disruption.OTHER_DATA


def test_other_data_is_no_obstacle_to_an_unmap() -> None:
    """A Lun that the map does not have any more is removed."""
    found = decision(kernel(NameState.REPLACED, ["l3"]), mapped_luns(0, 1, 2, *range(4, 10)))
    assert found.held == {}
    assert {step.action for step in found.steps} == {Action.DELETE}


def test_other_data_is_no_obstacle_to_write_protection() -> None:
    """A host that may only read from now on does not write to what stays, under its old LUN number."""
    observed = kernel(NameState.REPLACED, ["l3", "l4"])
    maps = {"l3": Map(T, 3, H, access=Access.READ_ONLY), "l4": Map(T, 14, H, access=Access.READ_ONLY)}
    luns = {name: replace(LUNMAP.luns[name], maps=(entry,)) for name, entry in maps.items()}
    protecting = replace(LUNMAP, luns={**LUNMAP.luns, **luns})
    found = decision(observed, protecting)
    protected = [lio_objects.MappedLun(T, 1, H, each, f"l{each}", write_protect=True) for each in (3, 4)]
    done = lio_objects.by_key(protected)
    assert {step.action for step in found.steps} == {Action.UPDATE}
    assert {lio_objects.key_of(step.item): step.item for step in found.steps} == done
    assert found.held["mapped_lun", T, 1, H, 3].reason == "Waiting"
    assert decision(replace(observed, objects={**observed.objects, **done}), protecting).steps == ()


def test_another_path_in_the_map_is_opened() -> None:
    """A commit that gives the Lun another path has decided which data it has."""
    lun = LUNMAP.luns["l3"]
    moved = replace(
        LUNMAP, luns={**LUNMAP.luns, "l3": replace(lun, backing=replace(lun.backing, path="/dev/x"))}
    )
    found = decision(kernel(NameState.REPLACED, ["l3"]), moved)
    assert found.held == {}
    assert len(found.steps) == 6


def test_a_device_that_returned_is_opened_again() -> None:
    """What opened a device that is gone is made anew, which is no drift."""
    observed = kernel(NameState.RETURNED, ["l3"])
    found = decision(observed, baseline=DriftBaseline(wanted()), report=frozenset(CLASSES))
    assert found.held == {}
    assert [step.action for step in found.steps] == [*[Action.DELETE] * 3, *[Action.CREATE] * 3]
    assert not any(step.drift for step in found.steps)


def test_the_limit_of_disruption_holds_for_a_returned_device() -> None:
    """With a logged-in initiator the setting `allow` decides, as for any replacement."""
    found = decision(kernel(NameState.RETURNED, ["l3"], *HERE), allow=Disruption.UNIT_ATTENTION)
    assert found.steps == ()
    assert found.held["mapped_lun", T, 1, H, 3].reason == "Held"


def test_the_return_of_all_devices_is_no_mass_removal() -> None:
    """Nobody can lose what is gone; Luns that the map removes as well still count."""
    names = [f"l{number}" for number in range(10)]
    assert decision(kernel(NameState.RETURNED, names)).blocked is None
    fewer = mapped_luns(0, 1)
    assert decision(kernel(NameState.RETURNED, names), fewer).blocked == MassRemoval("mapped LUNs", 8, 10)
    assert decision(kernel(NameState.RETURNED, names), fewer, confirmed=fewer).blocked is None


def test_a_lun_with_other_data_under_its_path_is_used_as_it_was() -> None:
    """Its path counts, since the initiators have what was opened."""
    observed = kernel(NameState.REPLACED, ["l3"])
    left = plan(wanted(), observed.objects)
    kept = kept_objects(decision(observed).held, left, observed.objects)
    assert ("storage_object", "l3") in kept
