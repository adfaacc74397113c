"""LIO, the fake one and the kernel's: what is ours, what is another's, and what a kill leaves behind."""

import pytest

from contract import maps
from contract.maps import CLAIMS, IQN, TARGET, TPG, converge, files, full, observed, only
from contract.sides import FOREIGN, Side
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.outcome import failures
from lunmapd.core.planning.plan import plan


def test_what_others_made_is_left_alone(side: Side) -> None:
    """A target and a storage object of another tool are not among our objects and survive our coming and going."""
    side.make_foreign()
    before = side.foreign()
    files(side, "a")
    converge(side, full("a"))
    assert FOREIGN in side.kernel.observe(CLAIMS | {FOREIGN}).foreign
    converge(side, {})
    assert side.foreign() == before


def test_an_unmarked_target_is_ours_only_if_claimed(side: Side) -> None:
    """A crash between mkdir and mark leaves an inert target: ours if recorded before, else somebody else's."""
    side.half(TARGET)
    assert side.kernel.observe(frozenset()).foreign == {IQN}
    assert observed(side) == only(TARGET)
    side.half(TPG)
    assert side.kernel.observe(frozenset()).foreign == {IQN}
    assert set(observed(side)) == {lio_objects.key(TARGET), lio_objects.key(TPG)}
    converge(side, full())
    assert side.kernel.observe(frozenset()).objects == full()


@pytest.mark.parametrize("name", ["storage_object", "lun", "mapped_lun"])
def test_halves_are_cleaned_first(side: Side, name: str) -> None:
    """What a crash left half-made is seen as a leftover, removed, and the whole thing is made."""
    files(side, "a", "b")
    converge(side, full("a"))
    whole: dict[str, lio_objects.Object] = {
        "storage_object": maps.storage_object("b"),
        "lun": maps.lun("b"),
        "mapped_lun": maps.mapped("b", 1),
    }
    side.half(whole[name]) if name == "storage_object" else _half_after(side, whole[name])
    left = [item for item in observed(side).values() if isinstance(item, lio_objects.Leftover)]
    assert len(left) == 1
    converge(side, full("a", "b"))


def _half_after(side: Side, item: lio_objects.Object) -> None:
    """Make all that the object stands on, then half of it."""
    converge(
        side, {name: other for name, other in full("a", "b").items() if name in _below(item)} | full("a")
    )
    side.half(item)


def _below(item: lio_objects.Object) -> set[lio_objects.Key]:
    everything = full("a", "b")
    found = set(lio_objects.parents(item))
    for parent in lio_objects.parents(item):
        found |= _below(everything[parent])
    return found


def test_a_leftover_does_not_block_what_is_below_it(side: Side) -> None:
    """Everything is removed, halves too, in one pass."""
    files(side, "a", "b")
    converge(side, full("a"))
    _half_after(side, maps.mapped("b", 1))
    converge(side, {})


def test_killed_after_any_step_the_next_map_is_reached(side: Side) -> None:
    """A crash before each step in turn; then one pass reaches a map that is different."""
    files(side, "a", "b", "c")
    steps = plan(full("a", "b"), {})
    for number, step in enumerate(steps):
        observed(side)
        assert not failures(side.kernel.apply(steps[:number]))
        side.crash_during(step)
        converge(side, full("c", "b"))
        converge(side, {})


def test_what_is_ours_stays_ours(side: Side) -> None:
    """Without any claim, what was made by lunmapd is known by its marks."""
    files(side, "a")
    converge(side, full("a"))
    side.kernel.close()
    assert side.kernel.observe(frozenset()).objects == full("a")
