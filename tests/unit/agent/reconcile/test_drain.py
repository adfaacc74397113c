"""A drained node leads hosts away by ALUA, and disables its TPGs once they have left."""

from pathlib import Path

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.reconcile.drain import DrainWatch
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.lunmap import AluaState, Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.draining import DRAIN_WINDOW, PATIENCE
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.secrets.sealing import Vault
from support.small_map import MAP, H, T, drained

ENABLED = ("enabled", T, 1)


class Node:
    """The passes of node n1 over restarts of its daemon, with a host that is logged in."""

    def __init__(self, directory: Path) -> None:
        self.kernel, self.clock = FakeLio(), Clock()
        self._claims = Claims(directory)
        self.restart()
        self.follow(MAP)
        self.kernel.log_in(T, H)

    def restart(self) -> None:
        """Let a new daemon begin."""
        self._state = PassState(60.0, 5.0, self.clock)
        self._drain = DrainWatch(now=self.clock)

    def follow(self, lunmap: Lunmap, enablement: Enablement = Enablement.ALL) -> PassResult:
        """Make one pass."""
        given = PassInput("n1", 1, lunmap, {}, Vault("c"), enablement=enablement)
        return reconcile(PassPorts(self.kernel, self._claims, drain=self._drain), given, self._state)

    def sends(self, commands: int, seconds: float = 0.0) -> None:
        """Let the host send commands while time passes."""
        self.kernel.commands[T, H, 3] = self.kernel.commands.get((T, H, 3), 0) + commands
        self.clock.now += seconds

    @property
    def is_enabled(self) -> bool:
        """Whether the TPG takes logins."""
        return ENABLED in self.kernel.objects

    @property
    def state(self) -> str:
        """The ALUA state that hosts see."""
        item = self.kernel.objects["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        assert item.alua is not None
        return item.alua.state


def test_the_tpg_is_disabled_once_the_host_has_left(tmp_path: Path) -> None:
    """First the state changes; while the host sends I/O its session stays."""
    node = Node(tmp_path)
    first = node.follow(drained(MAP, "n1"))
    assert (node.state, node.is_enabled) == (AluaState.NON_OPTIMIZED, True)
    assert first.failures[ENABLED].reason == "Draining"
    node.sends(50, first.draining)
    second = node.follow(drained(MAP, "n1"))
    node.sends(500, second.draining)
    assert second.draining == DRAIN_WINDOW
    assert node.follow(drained(MAP, "n1")).failures.keys() == {ENABLED}
    node.sends(2, DRAIN_WINDOW)
    last = node.follow(drained(MAP, "n1"))
    assert (node.is_enabled, last.converged, last.draining) == (False, True, float("inf"))


def test_a_host_that_stays_is_left_in_the_end(tmp_path: Path) -> None:
    """A host without ALUA sends on; the drain ends all the same."""
    node = Node(tmp_path)
    seconds = 0.0
    while node.is_enabled:
        result = node.follow(drained(MAP, "n1"))
        seconds = node.clock.now
        node.sends(1000, min(result.draining, DRAIN_WINDOW))
    assert seconds == PATIENCE


def test_a_restart_begins_to_count_anew(tmp_path: Path) -> None:
    """The states in the kernel show where the drain stands; nothing else is kept."""
    node = Node(tmp_path)
    node.follow(drained(MAP, "n1"))
    node.restart()
    result = node.follow(drained(MAP, "n1"))
    assert (node.is_enabled, result.draining) == (True, DRAIN_WINDOW)
    node.sends(1, DRAIN_WINDOW)
    node.follow(drained(MAP, "n1"))
    assert not node.is_enabled


def test_isolation_waits_for_nobody(tmp_path: Path) -> None:
    """An isolated node disables its TPGs at once, drained or not."""
    node = Node(tmp_path)
    node.follow(drained(MAP, "n1"), Enablement.NONE)
    assert not node.is_enabled


def test_a_node_without_sessions_is_drained_at_once(tmp_path: Path) -> None:
    """There is nobody to wait for."""
    node = Node(tmp_path)
    node.kernel.log_out(T, H)
    assert node.follow(drained(MAP, "n1")).converged
    assert not node.is_enabled


def test_a_drain_that_is_taken_back_ends_no_session(tmp_path: Path) -> None:
    """The states are as before, and nothing waits."""
    node = Node(tmp_path)
    node.follow(drained(MAP, "n1"))
    result = node.follow(MAP)
    assert (node.is_enabled, node.state, result.converged) == (True, AluaState.OPTIMIZED, True)
    assert result.draining == float("inf")
