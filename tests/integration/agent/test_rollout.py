"""Rollouts: a revision that some nodes try first, or that is undone unless it is confirmed in time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lab.wait import wait_until
from lunmapd.client import Client, FileBase, NoRolloutError, Note, RolloutUndoneError, RolloutWaitsError
from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.base.messages import Message
from lunmapd.core.history.changes import Rollout
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.rollout import read_server_time, undo_rollout
from lunmapd.store.upkeep.backup import take_backup
from support.agents import H
from support.cluster import Ctl
from support.plain_client import PlainClient
from support.trying_fleet import MINUTE, Fleet, fleet_map, write_map

pytestmark = pytest.mark.integration

_MAIN = "from lunmapd.service.ctl import main; main()"


def test_an_unconfirmed_revision_is_undone(
    session: Session, fleet: Fleet, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first node that sees the deadline pass undoes it for all; the next commit writes that down."""
    admin = Client(session)
    admin.apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    fleet.run()
    assert fleet.shown() == ({"l1", "l2"},) * 3
    clock.now += MINUTE + 1
    fleet.run("n2", "n1", "n3")
    undoings = [each for each in caplog.records if each.__dict__.get("MESSAGE_ID") == Message.ROLLOUT_UNDONE]
    assert [each.getMessage() for each in undoings] == [
        "revision 2 was not confirmed within 60 s: all nodes follow revision 3, which undoes it"
    ]
    assert fleet.shown() == ({"l1"},) * 3
    assert fleet.applied() == (3, 3, 3)
    assert set(admin.read().lunmap.luns) == {"l1"}
    assert admin.apply(fleet_map(1, 3)) is not None
    assert read_tree(session).revision == 4
    fleet.run()
    assert fleet.shown() == ({"l1", "l3"},) * 3


def test_the_deadline_outlives_the_admin(
    session: Session, fleet: Fleet, clock: Clock, tmp_path: Path
) -> None:
    """Lunmapctl is killed right after the commit: the nodes undo the revision all the same."""
    where = (sys.executable, "-c", _MAIN, "--hosts", session.hosts, "--chroot", session.root)
    words = (
        "apply",
        "-f",
        write_map(tmp_path, 1, 2),
        "--replace",
        "--yes",
        "--confirm-within",
        "1m",
        "--wait",
        "60",
    )
    with subprocess.Popen((*where, *words), stdout=subprocess.PIPE) as admin:
        wait_until("the commit", lambda: read_tree(session).revision == 2)
        admin.kill()
    fleet.run()
    assert fleet.applied() == (2, 2, 2)
    clock.now += MINUTE
    fleet.run()
    assert fleet.shown() == ({"l1"},) * 3


def test_a_confirmed_revision_stays(session: Session, fleet: Fleet, clock: Clock) -> None:
    """Confirmed in time, it is the newest revision for good, and its removals are confirmed."""
    admin = Client(session)
    admin.apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    fleet.run()
    made = admin.confirm()
    assert made is not None
    assert (made.revision, made.changes, made.confirms) == (3, (), 2)
    clock.now += 2 * MINUTE
    fleet.run()
    assert fleet.applied() == (3, 3, 3)
    assert fleet.shown() == ({"l1", "l2"},) * 3
    assert read_tree(session).rollout is None


def test_who_confirms_too_late_is_told_so(session: Session, fleet: Fleet, clock: Clock) -> None:
    """Neither before nor after the tree is written back does a late confirmation pass for one in time."""
    admin = Client(session)
    admin.apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    fleet.run()
    clock.now += MINUTE
    fleet.run("n3")
    with pytest.raises(RolloutUndoneError, match="revision 2 was not confirmed in time, and revision 3"):
        admin.confirm()
    assert admin.abort_rollout().revision == 3
    for late in (None, 2):
        with pytest.raises(RolloutUndoneError):
            admin.confirm(late)
    with pytest.raises(NoRolloutError):
        admin.abort_rollout()


def test_only_the_first_nodes_follow_a_revision(session: Session, fleet: Fleet, tmp_path: Path) -> None:
    """The others keep the map before it, also after a restart that reads the whole tree, until it goes on."""
    admin = Client(session)
    admin.apply(fleet_map(2), Note(first=("n1",)))
    fleet.run()
    assert fleet.applied() == (2, 1, 1)
    fleet.restart("n2", tmp_path / "n2 again")
    fleet.run("n2")
    assert fleet.shown() == ({"l2"}, {"l1"}, {"l1"})
    with pytest.raises(RolloutWaitsError, match="only n1 may follow revision 2"):
        admin.confirm()
    assert take_backup(session, "2026-01-01T00:00:00Z").title.revision == 1
    admin.continue_rollout()
    fleet.run()
    assert fleet.applied() == (3, 3, 3)
    assert fleet.shown() == ({"l2"},) * 3


def test_a_released_revision_keeps_its_deadline(session: Session, fleet: Fleet, clock: Clock) -> None:
    """With both options the rollout goes on after its release, and is undone on all nodes."""
    admin = Client(session)
    admin.apply(fleet_map(1, 2), Note(first=("n1",), confirm_within=MINUTE))
    fleet.run()
    assert admin.continue_rollout() is None
    fleet.run()
    assert fleet.applied() == (2, 2, 2)
    clock.now += MINUTE
    fleet.run()
    assert fleet.shown() == ({"l1"},) * 3


def test_an_aborted_rollout_is_an_ordinary_revision(session: Session, fleet: Fleet) -> None:
    """It changes the map back at once, with the author of the abort; nodes that waited see no change."""
    admin = Client(session)
    admin.apply(fleet_map(2), Note(first=("n1",)))
    fleet.run()
    made = admin.abort_rollout(Note("no", "ann"))
    assert (made.revision, made.author, made.message, made.undoes) == (3, "ann", "no", 2)
    fleet.run()
    assert fleet.applied() == (3, 3, 3)
    assert fleet.shown() == ({"l1"},) * 3
    assert admin.map_at(1) == admin.read().lunmap
    assert set(admin.map_at(2).luns) == {"l2"}


@pytest.mark.parametrize("aborted", [True, False])
def test_an_edit_made_during_a_rollout_stays(session: Session, ctl: Ctl, *, aborted: bool) -> None:
    """Whether an admin or the deadline undoes the revision; the object is named, and `repair` reverts it."""
    admin, host = Client(session), f"initiators/{H}"
    before = fleet_map(1)
    admin.apply(before)
    tried = replace(fleet_map(1, 2), initiators={H: Initiator("tried")})
    admin.apply(tried, Note(confirm_within=MINUTE))
    with PlainClient(session) as shell:
        shell.set(host, b'{"alias":"edited"}')
    if aborted:
        answer = ctl("rollout", "abort")
        assert f"{host} keeps its out-of-band edit: see 'lunmapctl repair'" in answer.err
        assert ": end all use of l2 (unmount, vgchange -an), then\n" in answer.out
    else:
        undo_rollout(session, read_tree(session).incarnation, _rollout(session), "n1")
    for _ in range(2):
        found = admin.read()
        assert (found.revision, set(found.lunmap.luns)) == (3, {"l1"})
        assert found.lunmap.initiators[H].alias == "edited"
        assert found.edited == {host: b"{}"}
        if not aborted:
            assert admin.abort_rollout().revision == 3  # writes the tree back
            aborted = True
    admin.repair()
    assert admin.read().lunmap == before


def test_an_undone_revision_can_be_applied_again(session: Session) -> None:
    """Its file, which names it as the base, has changes again; a program that waits for it learns its end."""
    admin = Client(session)
    admin.apply(fleet_map(1))
    admin.apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    admin.abort_rollout()
    admin.apply(replace(admin.read().lunmap, initiators={H: Initiator("db")}))
    with pytest.raises(RolloutUndoneError):
        admin.wait_applied(2, 0)
    proposal = admin.propose(fleet_map(1, 2), base=FileBase(2))
    assert [change.path for change in proposal.changes] == ["luns/l2"]


def test_a_confirmation_and_the_deadline_never_both_win(session: Session, fleet: Fleet) -> None:
    """Admin and node act at the same moment, ten times: one of them wins, and all follow that."""
    admin = Client(session)
    for number in range(2, 12):
        admin.apply(fleet_map(1, number), Note(confirm_within=MINUTE, reuse_luns=(f"l{number}",)))
        snapshot = read_tree(session)
        assert snapshot.rollout is not None
        with ThreadPoolExecutor(2) as pool:
            undo = pool.submit(undo_rollout, session, snapshot.incarnation, snapshot.rollout, "n1")
            kept = pool.submit(_try_to_confirm, admin).result()
            undo.result()
        now = read_tree(session)
        assert (now.revision, now.tried) == (snapshot.revision + 1, 0)
        assert (f"l{number}" in now.lunmap.luns) is kept
        assert bool(admin.revision(now.revision).undoes) is not kept
    fleet.run()
    assert fleet.applied() == (now.revision,) * 3


def _try_to_confirm(admin: Client) -> bool:
    try:
        admin.confirm()
    except RolloutUndoneError:
        return False
    return True


def test_a_node_that_waits_makes_the_removals_that_are_confirmed(session: Session, fleet: Fleet) -> None:
    """A tried revision with a confirmation of its own ends none of the map before it."""
    admin = Client(session)
    admin.apply(fleet_map(*range(1, 12)))
    fleet.run()
    admin.apply(fleet_map(1))
    fleet.run()
    assert fleet.shown() == ({f"l{number}" for number in range(1, 12)},) * 3
    admin.confirm()
    admin.apply(fleet_map(2), Note(first=("n1",), confirm_removals=True))
    fleet.run()
    assert fleet.shown() == ({"l2"}, {"l1"}, {"l1"})


def test_a_trim_keeps_what_waiting_nodes_follow(session: Session, fleet: Fleet, tmp_path: Path) -> None:
    """A node that waits reads the whole tree after it, and finds the revision before the rollout."""
    admin = Client(session)
    admin.apply(fleet_map(1, 4))
    fleet.run()
    admin.apply(fleet_map(1, 2), Note(first=("n1",)))
    assert admin.trim(1).oldest == 2
    fleet.restart("n2", tmp_path / "n2 again")
    fleet.run("n2")
    assert (fleet.shown()[1], fleet.applied()[1]) == ({"l1", "l4"}, 2)
    admin.abort_rollout()
    fleet.run()
    assert fleet.shown() == ({"l1", "l4"},) * 3


def test_a_restored_tree_has_no_rollout(session: Session, fleet: Fleet, tmp_path: Path) -> None:
    """A backup that is restored during a rollout ends it; the next one is another one."""
    admin = Client(session)
    admin.backup(tmp_path / "lunmap.backup")
    admin.apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    undo_rollout(session, 0, _rollout(session), "n1")
    admin.restore(tmp_path / "lunmap.backup", replaced=read_tree(session).cluster)
    assert (read_tree(session).rollout, set(admin.read().lunmap.luns)) == (None, {"l1"})
    assert admin.confirm() is not None
    fleet.run()
    made = admin.apply(fleet_map(1, 3), Note(confirm_within=MINUTE))
    assert made is not None
    assert read_tree(session).tried == made.revision
    admin.confirm()
    fleet.run()
    assert fleet.shown() == ({"l1", "l3"},) * 3


def _rollout(session: Session) -> Rollout:
    rollout = read_tree(session).rollout
    assert rollout is not None
    return rollout


def test_undoing_a_large_addition_needs_no_confirmation(session: Session, fleet: Fleet, clock: Clock) -> None:
    """All nodes had applied the map before it, so its Luns may go, however many they are."""
    Client(session).apply(fleet_map(*range(1, 12)), Note(confirm_within=MINUTE))
    fleet.run()
    clock.now += MINUTE
    fleet.run()
    assert fleet.shown() == ({"l1"},) * 3


def test_a_node_that_was_away_never_tries_an_overdue_revision(session: Session, fleet: Fleet) -> None:
    """It has the deadline by the servers' time at its first read, and undoes the revision instead."""
    Client(session).apply(fleet_map(1, 2), Note(confirm_within=1))
    wait_until("the deadline", lambda: read_server_time(session, "n1") > _rollout(session).began + 1)
    fleet.run("n2")
    assert fleet.applied() == (1, 3, 1)
    assert fleet.shown() == ({"l1"},) * 3
