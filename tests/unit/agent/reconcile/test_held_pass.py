"""A pass that waits for a confirmation: what it still does, and what of that fails."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.lio import CrashedError, FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import RemovalHeldError
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey
from lunmapd.core.base.lunmap import Lunmap, NodeState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.closed_access import with_attributes
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.secrets.sealing import Vault
from support.agents import T, is_open, mapped_luns, shown

TEN, ONE = mapped_luns(*range(10)), mapped_luns(1)


def drained(lunmap: Lunmap) -> Lunmap:
    """Return a map in which the node is drained."""
    return replace(lunmap, nodes={"n1": replace(lunmap.nodes["n1"], state=NodeState.DRAINED)})


class Daemon:
    """The passes of a node, over restarts of its daemon."""

    def __init__(self, directory: Path) -> None:
        """Start on an empty kernel."""
        self.kernel, self._directory, self._revision = FakeLio(), directory, 0
        self.restart()

    def restart(self) -> None:
        """Start anew with the files."""
        self._seen, self._state = SeenFile(self._directory), PassState(0.0, 0.0)

    def follow(self, lunmap: Lunmap, enablement: Enablement = Enablement.ALL) -> bool:
        """Make a pass by a new revision, and return whether it was held."""
        self._revision += 1
        edges = PassPorts(self.kernel, Claims(self._directory), seen=self._seen)
        given = PassInput("n1", self._revision, lunmap, {}, Vault("c"), enablement=enablement)
        terms = ValidityKey(HistoryPoint("c", self._revision, "d"), "n1", "boot", ())
        is_held = False
        try:
            reconcile(edges, given, self._state, terms)
        except RemovalHeldError:
            is_held = True
        self._state.baseline.save(self._seen)
        return is_held


@pytest.mark.parametrize("restarts", [False, True])
def test_a_held_pass_does_not_open_what_the_map_before_it_drained(tmp_path: Path, *, restarts: bool) -> None:
    """A node whose next revision makes it active, and removes much, stays closed until that is confirmed."""
    daemon = Daemon(tmp_path)
    daemon.follow(drained(TEN))
    if restarts:
        daemon.restart()
    assert daemon.follow(ONE)
    assert not is_open(daemon.kernel)


def test_a_held_pass_hands_over_what_it_observed(tmp_path: Path) -> None:
    """With the TPGs that it enabled: their portals, and the backings, are checked from that."""
    daemon = Daemon(tmp_path)
    daemon.follow(TEN)
    daemon.follow(TEN, Enablement.NONE)
    edges = PassPorts(daemon.kernel, Claims(tmp_path), seen=SeenFile(tmp_path))
    terms = ValidityKey(HistoryPoint("c", 9, "d"), "n1", "boot", ())
    with pytest.raises(RemovalHeldError) as held:
        reconcile(edges, PassInput("n1", 9, ONE, {}, Vault("c")), PassState(0.0, 0.0), terms)
    assert held.value.observed.objects == daemon.kernel.observe(frozenset()).objects
    assert is_open(daemon.kernel)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_held_pass_opens_again_what_isolation_closed(tmp_path: Path, *, restarts: bool) -> None:
    """A node that is back from isolation serves, also if what it reads then is held."""
    daemon = Daemon(tmp_path)
    daemon.follow(TEN)
    daemon.follow(TEN, Enablement.NONE)
    assert not is_open(daemon.kernel)
    if restarts:
        daemon.restart()
        assert daemon.follow(ONE, Enablement.KEPT)
        assert not is_open(daemon.kernel)
    assert daemon.follow(ONE)
    assert is_open(daemon.kernel)
    assert daemon.follow(ONE, Enablement.NONE)
    assert not is_open(daemon.kernel)
    if restarts:
        daemon.restart()
    assert daemon.follow(ONE)
    assert (is_open(daemon.kernel), len(shown(daemon.kernel))) == (True, 10)


def test_a_drain_that_was_cut_short_is_not_undone_by_a_held_pass(tmp_path: Path) -> None:
    """A daemon that is killed after it has disabled a TPG does not take that for isolation afterwards."""
    daemon = Daemon(tmp_path)
    daemon.follow(TEN)
    daemon.restart()
    daemon.kernel.crash_after = 1
    with pytest.raises(CrashedError):
        daemon.follow(drained(mapped_luns(*range(11))))
    assert not is_open(daemon.kernel)
    daemon.restart()
    assert daemon.follow(ONE)
    assert not is_open(daemon.kernel)


def test_a_revision_that_drains_and_removes_much_drains(tmp_path: Path) -> None:
    """The removals wait, and the drain does not."""
    daemon = Daemon(tmp_path)
    daemon.follow(TEN)
    assert daemon.follow(drained(ONE))
    assert (is_open(daemon.kernel), len(shown(daemon.kernel))) == (False, 10)


def test_access_that_can_not_be_closed_is_in_the_message(tmp_path: Path) -> None:
    """Until the kernel closes it; the removals wait in any case."""
    kernel, state = FakeLio(), PassState(0.0, 0.0)
    edges = PassPorts(kernel, Claims(tmp_path))

    def hold(lunmap: Lunmap) -> str:
        with pytest.raises(RemovalHeldError) as held:
            reconcile(edges, PassInput("n1", 2, lunmap, {}, Vault("c")), state)
        return str(held.value)

    ten = mapped_luns(*range(10))
    reconcile(edges, PassInput("n1", 1, ten, {}, Vault("c")), state)
    key = ("tpg", T, 1)
    closed = kernel.objects[key]
    assert isinstance(closed, lio_objects.Tpg)
    kernel.objects[key] = with_attributes(closed, {"generate_node_acls": "1"})
    kernel.failures[key] = Failure(Reason.KERNEL_REFUSED, "no such file")
    assert hold(mapped_luns(1)).endswith(f"; and it could not update tpg {T} 1: no such file")
    kernel.failures.clear()
    assert "could not" not in hold(mapped_luns(1))
    assert kernel.objects[key] == closed
    assert len(shown(kernel)) == 10
