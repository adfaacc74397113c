"""The projection of Luns that nodes take over from one another."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import AluaState, Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.interning import ObjectPool
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.plan import disruption, plan
from support.small_map import drained
from support.takeover_map import TAKEN, TAKEOVER, THREE

LEASED = Alua(1, "standby", leased=True)


def backing(lunmap: Lunmap, node: str) -> lio_objects.StorageObject:
    """Return the desired storage object of the Lun on a node."""
    item = project_map(lunmap, node)["storage_object", "a"]
    assert isinstance(item, lio_objects.StorageObject)
    return item


def alua(lunmap: Lunmap, node: str) -> tuple[str, bool, bool]:
    """Return the state, whether a lease decides about it, and the preferred bit."""
    group = backing(lunmap, node).alua
    assert group is not None
    return group.state, group.leased, group.preferred


def observed(state: str, *, intact: bool = True) -> lio_objects.StorageObject:
    """Return the storage object of the Lun as a node has it, in a state."""
    return replace(backing(TAKEOVER, "n1"), alua=Alua(1, state, intact=intact))


def test_the_nodes_of_the_list_have_the_closed_state_until_the_lease_opens_it() -> None:
    """A node outside the list has it for good, and a drain changes nothing: its owner moves."""
    assert alua(THREE, "n1") == alua(THREE, "n2") == ("standby", True, False)
    assert alua(THREE, "n3") == ("standby", False, False)
    assert alua(drained(THREE, "n1"), "n1") == ("standby", True, False)
    open_others = replace(THREE, luns={"a": replace(TAKEN, others=AluaState.NON_OPTIMIZED)})
    assert alua(drained(open_others, "n1"), "n3") == ("non-optimized", False, False)


def test_a_lun_without_maps_is_taken_over_by_nobody() -> None:
    """It belongs to no target, so it has no group; one node alone needs no state."""
    assert project_map(replace(TAKEOVER, luns={"a": replace(TAKEN, maps=())}), "n1").keys() >= {
        ("target", "iqn.2026-01.org.example:t")
    }
    assert (
        backing(replace(TAKEOVER, luns={"a": replace(TAKEN, preferred="n1", nodes=("n1",))}), "n1").alua
        is None
    )


@pytest.mark.parametrize("state", ["optimized", "standby"])
def test_a_pass_leaves_the_state_that_the_lease_decides(state: str) -> None:
    """Neither the owner's state nor that of the others is a difference."""
    key = ("storage_object", "a")
    assert plan({key: backing(TAKEOVER, "n1")}, {key: observed(state)}) == ()


@pytest.mark.parametrize("state", ["unavailable", "non-optimized", "14"])
def test_a_pass_ends_a_third_state(state: str) -> None:
    """Somebody changed it, or `others` of the map changed."""
    key = ("storage_object", "a")
    (step,) = plan({key: backing(TAKEOVER, "n1")}, {key: observed(state)})
    assert isinstance(step.item, lio_objects.StorageObject)
    assert step.item.alua == LEASED


def test_an_update_of_the_owner_does_not_count_as_the_loss_of_a_path() -> None:
    """Its step has the closed state of the map, which is not written."""
    key = ("storage_object", "a")
    (repair,) = plan({key: backing(TAKEOVER, "n1")}, {key: observed("optimized", intact=False)})
    assert disruption(repair) is Disruption.UNIT_ATTENTION


def test_what_equals_a_leased_state() -> None:
    """Its own state and the optimized one, of the same group; equal ones have one hash."""
    equal = [Alua(1, "standby"), Alua(1, "optimized"), LEASED]
    other = [
        Alua(1, "unavailable"),
        Alua(2, "standby"),
        Alua(1, "standby", preferred=True),
        Alua(1, "standby", intact=False),
        Alua(1, "unavailable", leased=True),
        None,
    ]
    assert all(each == LEASED and each == LEASED and hash(each) == hash(LEASED) for each in equal)
    assert all(each != LEASED and each != LEASED for each in other)
    assert Alua(1, "standby") != Alua(1, "optimized")


def test_a_desired_state_is_not_replaced_by_the_observed_one() -> None:
    """Kept in memory in place of it, the observed state would become the desired one."""
    key, wanted = ("storage_object", "a"), backing(TAKEOVER, "n1")
    for state in ("optimized", "standby"):
        pool = ObjectPool[lio_objects.StorageObject]({key: observed(state)})
        pool.add([wanted])
        assert pool.objects()[key] is wanted
