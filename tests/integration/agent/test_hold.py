"""The hold on mass removal, and on a tree that was restored, until somebody confirms."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.lunmap import Initiator, NodeState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED, STORE, Standing, standing_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.guard import Limits
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.backup import read_backup
from lunmapd.store.upkeep.restore import restore
from support.agents import Nodes, applied, conditions, confirm, is_open, many, message, put, shown
from support.commits import NOW, terms

pytestmark = pytest.mark.integration

TEN, TWO = many(*range(10)), many(8, 9)


def test_a_mass_removal_waits_for_a_confirmation(session: Session, make: Nodes) -> None:
    """A revision that would remove most of a node's LUNs is held, reported, and applied once confirmed."""
    put(session, TEN)
    agent = make()
    agent.turn()
    make.kernel.done.clear()
    put(session, many(8, 9, 10))
    assert not agent.turn().converged
    assert make.kernel.done == []
    assert conditions(agent)[APPLIED] == "RemovalHeld"
    assert "revision 2 would remove 8 of 10 mapped LUNs of this node" in message(agent, APPLIED)
    assert standing_of(agent.status) is Standing.HELD
    assert (agent.status.observed, applied(agent)) != (None, 2)
    confirm(session, 2)
    assert agent.turn().converged
    assert make.serves(many(8, 9, 10))


def test_a_hold_exits_with_degraded(session: Session, make: Nodes) -> None:
    """The error of a held pass has the exit code that `--once` ends with."""
    put(session, TEN)
    make().turn()
    put(session, TWO)
    error = make().turn().error
    assert error is not None
    assert error.exit_code == 6


def test_putting_the_map_right_ends_a_hold(session: Session, make: Nodes) -> None:
    """A revision that gives back what was removed by mistake is followed at once."""
    put(session, TEN)
    agent = make()
    agent.turn()
    put(session, TWO)
    agent.turn()
    put(session, many(*range(11)))
    assert agent.turn().converged
    assert make.serves(many(*range(11)))


def test_a_little_at_once_is_never_held(session: Session, make: Nodes) -> None:
    """Up to the minimum goes without a word, here the last four."""
    put(session, many(1, 2, 3, 4))
    agent = make()
    agent.turn()
    put(session, many())
    assert agent.turn().converged


def test_a_hold_and_its_confirmation_survive_restarts(session: Session, make: Nodes) -> None:
    """A node that restarts during a hold keeps it, and accepts the confirmation of the held revision."""
    put(session, TEN)
    make().turn()
    put(session, TWO)
    make().turn()
    put(session, replace(TWO, initiators={**TWO.initiators, "iqn.2026-01.org.example:h2": Initiator()}))
    make().turn()
    assert len(shown(make.kernel)) == 10
    confirm(session, 2)
    assert make().turn().converged
    assert len(shown(make.kernel)) == 2


def test_an_old_confirmation_excuses_nothing(session: Session, make: Nodes) -> None:
    """What was added after the last confirmation and would go now was never meant to go."""
    put(session, many(0))
    confirm(session, 1)
    agent = make()
    agent.turn()
    put(session, TEN)
    agent.turn()
    for late in (agent, make()):
        put(session, many(0) if late is agent else many(0, 1))
        late.turn()
        assert conditions(late)[APPLIED] == "RemovalHeld"
        assert len(shown(make.kernel)) == 10


def test_a_later_removal_needs_its_own_confirmation(session: Session, make: Nodes) -> None:
    """A confirmation covers the revisions up to it, not what comes after."""
    put(session, TEN)
    agent = make()
    agent.turn()
    put(session, many(5, 6, 7, 8, 9))
    agent.turn()
    confirm(session, 2)
    put(session, many())
    agent.turn()
    assert "remove 5 of 10" in message(agent, APPLIED)
    assert len(shown(make.kernel)) == 10
    confirm(session, 4)
    assert agent.turn().converged
    assert shown(make.kernel) == set()


def test_what_could_not_be_removed_is_not_asked_for_again(session: Session, make: Nodes) -> None:
    """A confirmed removal that is refused by the kernel for a while is finished without another word."""
    put(session, TEN)
    agent = make()
    agent.turn()
    put(session, TWO)
    agent.turn()
    confirm(session, 2)
    stuck = [name for name, item in make.kernel.objects.items() if isinstance(item, lio_objects.MappedLun)][
        :7
    ]
    make.kernel.failures = dict.fromkeys(stuck, Failure(Reason.IN_USE, "busy"))
    agent.turn()
    put(session, many(8, 9, 10))
    agent.turn()
    assert conditions(agent)[APPLIED] == "Failing"
    assert shown(make.kernel) > {"l8", "l9", "l10"}
    make.kernel.failures = {}
    assert agent.turn().converged
    assert make.serves(many(8, 9, 10))


def test_the_kernel_alone_is_enough_to_hold(session: Session, make: Nodes) -> None:
    """A node without a snapshot compares with its kernel, so a new daemon removes no more than an old one."""
    put(session, TEN)
    make().turn()
    for path in make.directory.iterdir():
        path.unlink()
    put(session, TWO)
    agent = make()
    agent.turn()
    assert conditions(agent)[APPLIED] == "RemovalHeld"
    confirm(session, 2)
    assert agent.turn().converged


def test_after_a_reboot_there_is_nothing_to_hold(session: Session, make: Nodes) -> None:
    """An empty kernel loses nothing, so it gets the map as it is."""
    put(session, TEN)
    make().turn()
    put(session, TWO)
    make.kernel.objects.clear()
    assert make().turn().converged
    assert make.serves(TWO)


def test_draining_a_node_is_no_removal(session: Session, make: Nodes) -> None:
    """A drained node closes its paths at once, whatever it serves, and keeps all of it ready."""
    put(session, TEN)
    agent = make()
    agent.turn()
    put(session, replace(TEN, nodes={"n1": replace(TEN.nodes["n1"], state=NodeState.DRAINED)}))
    assert agent.turn().converged
    assert (is_open(make.kernel), len(shown(make.kernel))) == (False, 10)
    put(session, TEN)
    assert agent.turn().converged
    assert make.serves(TEN)


def test_limits_are_settings(session: Session, make: Nodes) -> None:
    """With a limit of 1 nothing is ever held."""
    put(session, TEN)
    agent = make(policy=Policy(Limits(1.0, 0)))
    agent.turn()
    put(session, many())
    assert agent.turn().converged


def test_a_restored_tree_is_followed_once_it_is_confirmed(session: Session, make: Nodes) -> None:
    """A node that knew the old tree keeps its map over restarts, and applies the new one once confirmed."""
    put(session, TEN)
    taken, cluster = read_backup(session, NOW), read_tree(session).cluster
    put(session, many(*range(12)))
    agent = make()
    agent.turn()
    restore(session, taken, terms().signature, cluster)
    for each in (agent, make()):
        make.kernel.objects.clear()
        each.turn()
        assert conditions(each)[STORE] == "Restored"
        assert make.serves(many(*range(12)))
    late = make()
    confirm(session, 2)
    for number in (12, 13):
        put(session, many(*range(10), number))
    for each in (agent, late):
        assert each.turn().converged
        assert make.serves(many(*range(10), 13))


def test_what_a_confirmed_restore_takes_away_is_confirmed(session: Session, make: Nodes) -> None:
    """The confirmation of a restored tree also allows its removals, though its revisions are older."""
    put(session, many(0))
    taken, cluster = read_backup(session, NOW), read_tree(session).cluster
    put(session, TEN)
    put(session, many(*range(11)))
    agent = make()
    agent.turn()
    restore(session, taken, terms().signature, cluster)
    agent.turn()
    assert len(shown(make.kernel)) == 11
    confirm(session, 2)
    assert agent.turn().converged
    assert make.serves(many(0))
