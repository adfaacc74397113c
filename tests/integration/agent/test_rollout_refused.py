"""Revisions that can't be tried, and commits that a rollout refuses."""

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from lunmapd.client import (
    Client,
    FirstNodesDeadError,
    InvalidInputError,
    Note,
    Proposal,
    RolloutEditedError,
    RolloutPendingError,
    RolloutTooLargeError,
)
from lunmapd.core.base.lunmap import AluaState, FloatingGroup
from lunmapd.store.session.paths import live_of
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.agents import T, mapped_luns
from support.plain_client import PlainClient
from support.trying_fleet import MINUTE, NODES, Fleet, fleet_map

pytestmark = pytest.mark.integration


def test_a_second_admin_waits_for_the_end_of_a_rollout(session: Session, fleet: Fleet) -> None:
    """Every other commit is refused and names the rollout; so does one that was made on an older map."""
    before = Client(session).propose(fleet_map(1, 3))
    Client(session).apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    for commit in _others(Client(session), before):
        with pytest.raises(RolloutPendingError, match="the rollout of revision 2 is not over"):
            commit()
    fleet.run()
    Client(session).confirm()
    assert Client(session).apply(before) is not None


@pytest.mark.usefixtures("fleet")
def test_a_dead_node_tries_nothing(session: Session) -> None:
    """A rollout that begins with one would never go on, and would refuse all other commits until its end."""
    admin = Client(session)
    with PlainClient(session) as shell:
        shell.delete(live_of("n2"))
    with pytest.raises(FirstNodesDeadError, match=r"n2 would try the revision first, .* but is dead"):
        admin.apply(fleet_map(1, 2), Note(first=("n1", "n2")))
    assert admin.apply(fleet_map(1, 2), Note(first=("n1",))) is not None
    with pytest.raises(RolloutPendingError, match="'lunmapctl rollout continue' to let all nodes follow it"):
        admin.apply(fleet_map(1))


def test_what_could_not_be_undone_at_once_is_not_tried(session: Session) -> None:
    """A map with out-of-band edits, and a commit of several transactions, are refused and change nothing."""
    admin = Client(session)
    admin.apply(mapped_luns(1))
    with pytest.raises(RolloutTooLargeError, match="divide it into smaller commits"):
        admin.apply(mapped_luns(*range(1, 1200)), Note(confirm_within=MINUTE))
    with PlainClient(session) as shell:
        shell.set("luns/l1", shell.get("luns/l1") + b" ")
    with pytest.raises(RolloutEditedError, match="luns/l1"):
        admin.apply(mapped_luns(1, 2), Note(confirm_within=MINUTE))
    assert read_tree(session).revision == 1


def test_a_floating_group_is_not_tried(session: Session) -> None:
    """All its nodes must have the same list: neither a new group nor a change of one is committed so."""
    admin = Client(session)
    admin.apply(fleet_map(1))
    group = FloatingGroup(100, ("10.0.9.9:3260",), NODES)
    lunmap = fleet_map(1)
    floating = replace(lunmap, targets={T: replace(lunmap.targets[T], floating={"gold": group})})
    with pytest.raises(InvalidInputError, match=r"floating.gold: it can't be changed by a revision that is"):
        admin.apply(floating, Note(first=("n1",)))
    assert admin.apply(floating) is not None
    more = replace(floating, luns=fleet_map(1, 2).luns)
    assert admin.apply(more, Note(confirm_within=MINUTE)) is not None


def test_a_list_of_preferred_nodes_is_not_tried(session: Session) -> None:
    """By two maps a Lun could be optimized on two nodes; other changes of such a Lun are tried."""
    admin = Client(session)
    admin.apply(fleet_map(1))
    lunmap = fleet_map(1)
    listed = replace(lunmap, luns={"l1": replace(lunmap.luns["l1"], preferred=NODES[:2])})
    with pytest.raises(InvalidInputError, match=r"l1.*preferred: it can't be changed by a revision that is"):
        admin.apply(listed, Note(first=("n1",)))
    assert admin.apply(listed) is not None
    closed = replace(listed, luns={"l1": replace(listed.luns["l1"], others=AluaState.STANDBY)})
    assert admin.apply(closed, Note(confirm_within=MINUTE)) is not None


def _others(admin: Client, proposal: Proposal) -> Iterator[Callable[[], object]]:
    yield lambda: admin.apply(proposal)
    yield lambda: admin.override("session-drop", 60)
    yield lambda: admin.apply(fleet_map(1), Note(first=("n1",)))
