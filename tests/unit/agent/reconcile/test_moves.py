"""An owner of a floating group makes a disturbing change after the group has moved, or after a minute."""

from pathlib import Path

from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.reconcile.moves import MoveWatch
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.moving import MOVE_PATIENCE, Others, ServedGroup
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING, LUN, H, T

CHANGED = replace(FLOATING, luns={"a": replace(LUN, product="NEW")})
NEVER = float("inf")


class Node:
    """The passes of n1, which owns the group, with a host that is logged in."""

    def __init__(self, directory: Path) -> None:
        self.kernel, self.clock = FakeLio(), Clock()
        self._claims = Claims(directory)
        self._state = PassState(600.0, 5.0, self.clock)
        self._moves = MoveWatch(self.clock)
        self.follow(FLOATING, None)
        self.enabled = lio_objects.Enabled(T, 1001, 77)
        self.kernel.objects["enabled", T, 1001] = self.enabled
        self.kernel.log_in(T, H, tag=1001)

    def follow(self, lunmap: Lunmap, others: Others | None) -> PassResult:
        """Make one pass; without `others` the node does not own the group."""
        served = self._moves.served(() if others is None else (ServedGroup(T, 1001, others),))
        given = PassInput("n1", 1, lunmap, {}, Vault("c"), served=served)
        return reconcile(PassPorts(self.kernel, self._claims, moves=self._moves), given, self._state)

    @property
    def disturbed(self) -> tuple[ServedGroup, ...]:
        """The group, if the last pass would have disturbed its hosts."""
        return self._moves.disturbed((ServedGroup(T, 1001),))

    def give_up(self) -> None:
        """Disable the TPG, as the loop of the group does."""
        self.kernel.log_out(T, H)
        del self.kernel.objects["enabled", T, 1001]

    @property
    def product(self) -> str:
        """The product that hosts see."""
        item = self.kernel.objects["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        return item.product


def test_the_change_is_made_after_the_move(tmp_path: Path) -> None:
    """It waits for the others, then for the move: the TPG is disabled before the lease is released."""
    node = Node(tmp_path)
    for others in (Others.BEHIND, Others.READY):
        result = node.follow(CHANGED, others)
        assert (node.product, result.draining) == ("", 2.0)
        assert node.disturbed == (ServedGroup(T, 1001, others, leaving=others is Others.READY),)
        assert Reason.MOVING in {failure.reason for failure in result.failures.values()}
        node.clock.now += result.draining
    node.give_up()
    node.follow(CHANGED, Others.READY)
    assert node.disturbed
    assert not node.product
    result = node.follow(CHANGED, None)
    assert (node.product, result.converged, result.draining, node.disturbed) == ("NEW", True, NEVER, ())


def test_the_change_is_made_after_a_minute_in_any_case(tmp_path: Path) -> None:
    """A node that never applies the revision delays it, and does not prevent it."""
    node = Node(tmp_path)
    while node.clock.now < MOVE_PATIENCE:
        node.clock.now += min(node.follow(CHANGED, Others.BEHIND).draining, 5.0)
        assert node.product == ""
    assert node.follow(CHANGED, Others.BEHIND).converged
    assert node.product == "NEW"


def test_a_later_change_waits_again(tmp_path: Path) -> None:
    """The time that one change waited does not count for another one."""
    node = Node(tmp_path)
    node.follow(CHANGED, Others.READY)
    node.follow(FLOATING, Others.READY)
    node.clock.now += MOVE_PATIENCE
    node.follow(CHANGED, Others.READY)
    assert node.product == ""


def test_a_group_moves_until_it_is_given_away_or_the_change_is_made() -> None:
    """Cycles that make no full pass, such as those that the move sets off, don't end it."""
    group, moves = ServedGroup(T, 1001, Others.READY), MoveWatch(Clock())
    moves.follow((group,))
    assert moves.disturbed((group,)) == (group,)
    assert moves.disturbed(()) == ()
    moves.follow(())
    assert moves.disturbed((group,)) == ()
