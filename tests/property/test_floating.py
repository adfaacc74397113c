"""Laws of the lease of a floating address, in a simulated cluster."""

from hypothesis import given, settings
from hypothesis import strategies as st

from support.floating import Defences, Fault, Kind, World
from support.intervals import find_overlaps, longest_gap

NODES = ("n1", "n2", "n3")
SECONDS = 30.0

FAULTS = st.lists(
    st.builds(
        Fault,
        st.floats(0, 25),
        st.sampled_from(NODES[:2]),
        st.sampled_from(Kind),
        st.sampled_from((0.3, 2.0, 6.0, 15.0)),
    ),
    max_size=20,
)


@settings(max_examples=30)
@given(FAULTS, st.integers(0, 1 << 16), st.sampled_from((NODES, NODES[:2])))
def test_the_address_is_never_on_two_nodes(faults: list[Fault], seed: int, names: tuple[str, ...]) -> None:
    """No combination of stops, kills, power cuts, lost answers and early session ends overlaps two leases."""
    assert find_overlaps(World(faults, seed, names).run(SECONDS)) == []


@settings(max_examples=10)
@given(FAULTS, st.integers(0, 1 << 16))
def test_a_node_has_the_address_once_the_faults_are_over(faults: list[Fault], seed: int) -> None:
    """From 30 s after the last fault on, the address is served without a gap."""
    world = World(faults, seed)
    intervals = world.run(90)
    assert longest_gap(intervals, 75, 89) == 0.0
    assert sum(node.enabled for node in world.nodes.values()) == 1


def _owner(seed: int) -> str:
    world = World((), seed, NODES[:2])
    world.run(5)
    return world.tree.owner


def _overlapping(kinds: tuple[Kind, ...], defences: Defences) -> list[int]:
    """Return the seeds with an overlap if the owner has these faults from 5 s on."""
    return [
        seed
        for seed in range(12)
        if find_overlaps(
            World([Fault(5, _owner(seed), kind, 20) for kind in kinds], seed, NODES[:2], defences).run(40)
        )
    ]


def test_a_node_must_wait_for_the_lease_and_not_only_for_the_session() -> None:
    """A session that ends before the lease gives two nodes the address, unless the next one waits."""
    kinds = (Kind.CUT, Kind.EXPIRE)
    assert _overlapping(kinds, Defences(lease_time=False))
    assert _overlapping(kinds, Defences()) == []


def test_a_grant_must_not_be_made_late() -> None:
    """A process that is stopped before its call gives the address to two nodes, unless a timer ends it."""
    assert _overlapping((Kind.STOP,), Defences(kill_timer=False))
    assert _overlapping((Kind.STOP,), Defences()) == []


def test_the_lease_after_a_restart_covers_the_longer_one_before_it() -> None:
    """A new daemon that is stopped before its first grant leaves the address for the longer time."""

    def overlapping(defences: Defences) -> list[int]:
        return [seed for seed in range(20) if find_overlaps(_restarted(seed, defences).run(60))]

    assert overlapping(Defences(covering=False))
    assert overlapping(Defences()) == []


def test_a_restart_that_is_taken_back_shortens_the_lease_after_the_lifetime() -> None:
    """The record of the usual lease is written only once the kernel has the usual lifetime."""
    for seed in range(20):
        owner, at = _owner(seed), 7.5 + seed % 10 / 10
        faults = (Fault(5, owner, Kind.RESTART, 2.5), Fault(at, owner, Kind.STOP, 40))
        assert find_overlaps(World(faults, seed, NODES[:2]).run(60)) == []


def test_the_lease_before_a_restart_covers_the_lateness_of_a_longer_lifetime() -> None:
    """A grant at the last moment, whose lifetime the kernel ends as late as it can, overlaps none."""

    def overlapping(defences: Defences) -> list[int]:
        return [seed for seed in (4, 7, 23, 24) if find_overlaps(_prolonged(seed, defences).run(35))]

    assert overlapping(Defences(long_lateness=False))
    assert overlapping(Defences()) == []


def _prolonged(seed: int, defences: Defences) -> World:
    """Return a cluster whose owner is stopped after a slow grant of the lifetime of before a restart."""
    owner, stop = _owner(seed), {4: 6.8, 7: 6.5, 23: 7.3, 24: 6.4}[seed]
    faults = (
        Fault(5, owner, Kind.RESTART, 60),
        Fault(5, owner, Kind.SLOW, 60),
        Fault(stop, owner, Kind.STOP, 60),
    )
    return World(faults, seed, NODES[:2], defences)


def _restarted(seed: int, defences: Defences) -> World:
    """Return a cluster whose owner is restarted, reaches ZooKeeper once, and is stopped then."""
    owner = _owner(seed)
    faults = (
        Fault(5, owner, Kind.RESTART, 2.5),
        Fault(7.5, owner, Kind.KILL, 0.5),
        Fault(8.2 + seed % 10 / 10, owner, Kind.STOP, 40),
    )
    return World(faults, seed, NODES[:2], defences)
