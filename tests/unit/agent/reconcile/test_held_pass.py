"""A pass that waits for a confirmation: what it still does, and what of that fails."""

from pathlib import Path

import pytest

from fakes.lio import FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import RemovalHeldError
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.closed_access import with_attributes
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.secrets.sealing import Vault
from support.agents import T, mapped_luns, shown


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
