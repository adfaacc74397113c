"""The fake LIO and the kernel: own and foreign objects, and the leftovers of a kill."""

import pytest

from contract import maps
from contract.implementations import FOREIGN, Implementation
from contract.maps import CLAIMS, IQN, TARGET, TPG, converge, files, full, observed, only
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import plan


def test_what_others_made_is_left_alone(implementation: Implementation) -> None:
    """A foreign target and storage object are not observed as our objects, and survive all our changes."""
    implementation.make_foreign()
    before = implementation.foreign()
    files(implementation, "a")
    converge(implementation, full("a"))
    assert FOREIGN in implementation.kernel.observe(CLAIMS | {FOREIGN}).foreign
    converge(implementation, {})
    assert implementation.foreign() == before


def test_an_unmarked_target_is_ours_only_if_claimed(implementation: Implementation) -> None:
    """A crash between mkdir and mark leaves an inert target: ours if it was claimed before, else foreign."""
    implementation.half(TARGET)
    assert implementation.kernel.observe(frozenset()).foreign == {IQN}
    assert observed(implementation) == only(TARGET)
    implementation.half(TPG)
    assert implementation.kernel.observe(frozenset()).foreign == {IQN}
    assert set(observed(implementation)) == {lio_objects.key_of(TARGET), lio_objects.key_of(TPG)}
    converge(implementation, full())
    assert implementation.kernel.observe(frozenset()).objects == full()


@pytest.mark.parametrize("name", ["storage_object", "lun", "mapped_lun"])
def test_halves_are_cleaned_first(implementation: Implementation, name: str) -> None:
    """A leftover of a crash is observed as such, removed, and the whole object is made."""
    files(implementation, "a", "b")
    converge(implementation, full("a"))
    whole: dict[str, lio_objects.Object] = {
        "storage_object": maps.storage_object("b"),
        "lun": maps.lun("b"),
        "mapped_lun": maps.mapped("b", 1),
    }
    implementation.half(whole[name]) if name == "storage_object" else _half_after(implementation, whole[name])
    left = [item for item in observed(implementation).values() if isinstance(item, lio_objects.Leftover)]
    assert len(left) == 1
    converge(implementation, full("a", "b"))


def _half_after(implementation: Implementation, item: lio_objects.Object) -> None:
    """Make the parents of the object, then half of it."""
    converge(
        implementation,
        {name: other for name, other in full("a", "b").items() if name in _below(item)} | full("a"),
    )
    implementation.half(item)


def _below(item: lio_objects.Object) -> set[lio_objects.Key]:
    everything = full("a", "b")
    found = set(lio_objects.parents_of(item))
    for parent in lio_objects.parents_of(item):
        found |= _below(everything[parent])
    return found


def test_a_leftover_does_not_block_what_is_below_it(implementation: Implementation) -> None:
    """Everything is removed, halves too, in one pass."""
    files(implementation, "a", "b")
    converge(implementation, full("a"))
    _half_after(implementation, maps.mapped("b", 1))
    converge(implementation, {})


def test_killed_after_any_step_the_next_map_is_reached(implementation: Implementation) -> None:
    """After a crash before any step, one pass reaches a different map."""
    files(implementation, "a", "b", "c")
    steps = plan(full("a", "b"), {})
    for number, step in enumerate(steps):
        observed(implementation)
        assert not failures_of(implementation.kernel.apply(steps[:number]))
        implementation.crash_during(step)
        converge(implementation, full("c", "b"))
        converge(implementation, {})


def test_what_is_ours_stays_ours(implementation: Implementation) -> None:
    """Without any claim, objects of lunmapd are recognised by their marks."""
    files(implementation, "a")
    converge(implementation, full("a"))
    implementation.kernel.close()
    assert implementation.kernel.observe(frozenset()).objects == full("a")
