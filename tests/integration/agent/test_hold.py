"""The hold on mass removal, and on a restored tree, until it is confirmed."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.lunmap import Initiator, NodeState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED, STORE, Standing, standing_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.backup import take_backup
from lunmapd.store.upkeep.restore import restore
from support.agents import (
    AgentFactory,
    H,
    T,
    applied,
    conditions,
    confirm,
    failing,
    is_open,
    mapped_luns,
    message,
    put_checked,
    shown,
)
from support.commits import NOW, terms
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

TEN, TWO = mapped_luns(*range(10)), mapped_luns(8, 9)


def test_a_mass_removal_waits_for_a_confirmation(session: Session, make_agent: AgentFactory) -> None:
    """A revision that would remove most of a node's LUNs is held, reported, and applied once confirmed."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.done.clear()
    put_checked(session, mapped_luns(8, 9, 10))
    assert not agent.run_cycle().converged
    assert make_agent.kernel.done == []
    assert conditions(agent)[APPLIED] == "RemovalHeld"
    assert "revision 2 would remove 8 of 10 mapped LUNs of this node" in message(agent, APPLIED)
    assert standing_of(agent.status) is Standing.HELD
    assert (agent.status.observed, applied(agent)) != (None, 2)
    confirm(session, 2)
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(8, 9, 10))


def test_a_hold_exits_with_degraded(session: Session, make_agent: AgentFactory) -> None:
    """The error of a held pass has the exit code that `--once` ends with."""
    put_checked(session, TEN)
    make_agent().run_cycle()
    put_checked(session, TWO)
    error = make_agent().run_cycle().error
    assert error is not None
    assert error.exit_code == 6


def test_putting_the_map_right_ends_a_hold(session: Session, make_agent: AgentFactory) -> None:
    """A revision that restores the removed objects is applied at once."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, TWO)
    agent.run_cycle()
    put_checked(session, mapped_luns(*range(11)))
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def test_a_little_at_once_is_never_held(session: Session, make_agent: AgentFactory) -> None:
    """Removals up to the minimum are done without a hold, here the last four."""
    put_checked(session, mapped_luns(1, 2, 3, 4))
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, mapped_luns())
    assert agent.run_cycle().converged


def test_a_hold_and_its_confirmation_survive_restarts(session: Session, make_agent: AgentFactory) -> None:
    """A node that restarts during a hold keeps it, and accepts the confirmation of the held revision."""
    put_checked(session, TEN)
    make_agent().run_cycle()
    put_checked(session, TWO)
    make_agent().run_cycle()
    put_checked(
        session, replace(TWO, initiators={**TWO.initiators, "iqn.2026-01.org.example:h2": Initiator()})
    )
    make_agent().run_cycle()
    assert len(shown(make_agent.kernel)) == 10
    confirm(session, 2)
    assert make_agent().run_cycle().converged
    assert len(shown(make_agent.kernel)) == 2


def test_a_held_node_stays_drained(session: Session, make_agent: AgentFactory) -> None:
    """A revision that makes it active opens no TPG before what it removes is confirmed."""
    drained = {"n1": replace(TEN.nodes["n1"], state=NodeState.DRAINED)}
    put_checked(session, replace(TEN, nodes=drained))
    make_agent().run_cycle()
    put_checked(session, TWO)
    for _ in range(2):
        make_agent().run_cycle()
        assert (len(shown(make_agent.kernel)), is_open(make_agent.kernel)) == (10, False)
    confirm(session, 2)
    assert make_agent().run_cycle().converged
    assert (len(shown(make_agent.kernel)), is_open(make_agent.kernel)) == (2, True)


def test_an_old_confirmation_excuses_nothing(session: Session, make_agent: AgentFactory) -> None:
    """Objects added after the last confirmation are not covered by it."""
    put_checked(session, mapped_luns(0))
    confirm(session, 1)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, TEN)
    agent.run_cycle()
    for late in (agent, make_agent()):
        put_checked(session, mapped_luns(0) if late is agent else mapped_luns(0, 1))
        late.run_cycle()
        assert conditions(late)[APPLIED] == "RemovalHeld"
        assert len(shown(make_agent.kernel)) == 10


def test_a_later_removal_needs_its_own_confirmation(session: Session, make_agent: AgentFactory) -> None:
    """A confirmation covers the revisions up to it, not what comes after."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, mapped_luns(5, 6, 7, 8, 9))
    agent.run_cycle()
    confirm(session, 2)
    put_checked(session, mapped_luns())
    agent.run_cycle()
    assert "remove 5 of 10" in message(agent, APPLIED)
    assert len(shown(make_agent.kernel)) == 10
    confirm(session, 4)
    assert agent.run_cycle().converged
    assert shown(make_agent.kernel) == set()


def test_what_could_not_be_removed_is_not_asked_for_again(session: Session, make_agent: AgentFactory) -> None:
    """A confirmed removal that the kernel refuses for a while is finished without another confirmation."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, TWO)
    agent.run_cycle()
    confirm(session, 2)
    stuck = [
        name for name, item in make_agent.kernel.objects.items() if isinstance(item, lio_objects.MappedLun)
    ][:7]
    make_agent.kernel.failures = dict.fromkeys(stuck, Failure(Reason.IN_USE, "busy"))
    agent.run_cycle()
    put_checked(session, mapped_luns(8, 9, 10))
    agent.run_cycle()
    assert conditions(agent)[APPLIED] == "Failing"
    assert shown(make_agent.kernel) > {"l8", "l9", "l10"}
    make_agent.kernel.failures = {}
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(8, 9, 10))


def test_the_kernel_alone_is_enough_to_hold(session: Session, make_agent: AgentFactory) -> None:
    """A node without a snapshot compares with its kernel, so a new daemon removes no more than an old one."""
    put_checked(session, TEN)
    make_agent().run_cycle()
    for path in make_agent.directory.iterdir():
        path.unlink()
    put_checked(session, TWO)
    agent = make_agent()
    agent.run_cycle()
    assert conditions(agent)[APPLIED] == "RemovalHeld"
    confirm(session, 2)
    assert agent.run_cycle().converged


def test_after_a_reboot_there_is_nothing_to_hold(session: Session, make_agent: AgentFactory) -> None:
    """An empty kernel loses nothing, so it gets the map as it is."""
    put_checked(session, TEN)
    make_agent().run_cycle()
    put_checked(session, TWO)
    make_agent.kernel.objects.clear()
    assert make_agent().run_cycle().converged
    assert make_agent.serves(TWO)


def test_draining_a_node_is_no_removal(session: Session, make_agent: AgentFactory) -> None:
    """A drained node disables its TPGs at once, with any number of Luns, and keeps all other objects."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, replace(TEN, nodes={"n1": replace(TEN.nodes["n1"], state=NodeState.DRAINED)}))
    assert agent.run_cycle().converged
    assert (is_open(make_agent.kernel), len(shown(make_agent.kernel))) == (False, 10)
    put_checked(session, TEN)
    assert agent.run_cycle().converged
    assert make_agent.serves(TEN)


def test_limits_are_settings(session: Session, make_agent: AgentFactory) -> None:
    """With a limit of 1 nothing is ever held."""
    put_checked(session, TEN)
    agent = make_agent(policy=Policy(RemovalLimits(1.0, 0)))
    agent.run_cycle()
    put_checked(session, mapped_luns())
    assert agent.run_cycle().converged


def test_a_restored_tree_is_followed_once_it_is_confirmed(session: Session, make_agent: AgentFactory) -> None:
    """A node that knew the old tree keeps its map over restarts, and applies the new one once confirmed."""
    put_checked(session, TEN)
    taken, cluster = take_backup(session, NOW), read_tree(session).cluster
    put_checked(session, mapped_luns(*range(12)))
    agent = make_agent()
    agent.run_cycle()
    restore(session, taken, terms(), cluster)
    for each in (agent, make_agent()):
        make_agent.kernel.objects.clear()
        each.run_cycle()
        assert conditions(each)[STORE] == "Restored"
        assert make_agent.serves(mapped_luns(*range(12)))
    late = make_agent()
    confirm(session, 2)
    for number in (12, 13):
        put_checked(session, mapped_luns(*range(10), number))
    for each in (agent, late):
        assert each.run_cycle().converged
        assert make_agent.serves(mapped_luns(*range(10), 13))


def test_what_a_confirmed_restore_takes_away_is_confirmed(session: Session, make_agent: AgentFactory) -> None:
    """The confirmation of a restored tree also allows its removals, though its revisions are older."""
    put_checked(session, mapped_luns(0))
    taken, cluster = take_backup(session, NOW), read_tree(session).cluster
    put_checked(session, TEN)
    put_checked(session, mapped_luns(*range(11)))
    agent = make_agent()
    agent.run_cycle()
    restore(session, taken, terms(), cluster)
    agent.run_cycle()
    assert len(shown(make_agent.kernel)) == 11
    confirm(session, 2)
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(0))


@pytest.mark.parametrize("path", [f"targets/{T}", f"initiators/{H}"])
def test_a_needed_document_that_is_deleted_by_hand_costs_nobody_anything(
    session: Session, make_agent: AgentFactory, path: str
) -> None:
    """The target stays open, the deletion is named, and the next commit puts the document back."""
    put_checked(session, TEN)
    agent = make_agent(policy=Policy(full_read=0.0))
    assert agent.run_cycle().converged
    make_agent.kernel.done.clear()
    with PlainClient(session) as shell:
        shell.delete(path)
    agent.run_cycle()
    assert make_agent.kernel.done == []
    assert make_agent.serves(TEN)
    assert failing(agent) == {f"document {path}": "EditRefused"}
    put_checked(session, mapped_luns(*range(11)))
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def test_draining_a_node_needs_no_confirmation(session: Session, make_agent: AgentFactory) -> None:
    """It takes all LUNs of the node from their initiators, and is meant to."""
    put_checked(session, TEN)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, replace(TEN, nodes={"n1": replace(TEN.nodes["n1"], state=NodeState.DRAINED)}))
    assert agent.run_cycle().converged
    assert not is_open(make_agent.kernel)
