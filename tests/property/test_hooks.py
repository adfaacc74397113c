"""Laws of storage that a hook promotes, in a simulated cluster."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.hooks import FakeStorage
from support.hooked import Cluster, Fault, Kind

_LONG = tuple(kind for kind in Kind if kind is not Kind.KILL)

FAULTS = st.lists(
    st.one_of(
        st.builds(
            Fault,
            st.floats(0, 25),
            st.sampled_from(("n1", "n2")),
            st.sampled_from(_LONG),
            st.sampled_from((0.3, 2.0, 8.0, 15.0)),
        ),
        # Nothing demotes the storage of a node without processes, so they are started again in time.
        st.builds(Fault, st.floats(0, 25), st.sampled_from(("n1", "n2")), st.just(Kind.KILL), st.just(2.0)),
    ),
    max_size=8,
)


@settings(max_examples=40)
@given(FAULTS)
def test_no_two_nodes_have_the_storage_promoted(faults: list[Fault]) -> None:
    """The lease alone sees to it, also if the storage itself would admit a second writer."""
    cluster = Cluster()
    cluster.run(35, tuple(faults))
    assert cluster.most <= 1


@settings(max_examples=10)
@given(FAULTS)
def test_the_storage_is_served_once_the_faults_are_over(faults: list[Fault]) -> None:
    """One node has it promoted and its path open; no hook needs the help of an admin."""
    cluster = Cluster(FakeStorage(admits_two=False))
    cluster.run(120, tuple(faults))
    assert len(cluster.serving) == 1


def test_a_node_without_processes_keeps_the_storage_promoted() -> None:
    """Only the storage itself can refuse the second writer then, and the next owner waits for it."""
    killed = (Fault(0, "n1", Kind.KILL, 60), Fault(0.2, "n1", Kind.CUT, 60))
    for admits_two, most in ((True, 2), (False, 1)):
        cluster = Cluster(FakeStorage(admits_two))
        cluster.run(12)
        cluster.run(50, killed)
        assert cluster.most == most
