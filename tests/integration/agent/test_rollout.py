"""Rollouts: a revision that some nodes try first, or that is undone unless it is confirmed in time."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lab.wait import wait_until
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.client import (
    Client,
    FileBase,
    InvalidInputError,
    NoRolloutError,
    Note,
    Proposal,
    RolloutEditedError,
    RolloutPendingError,
    RolloutTooLargeError,
    RolloutUndoneError,
    RolloutWaitsError,
    show_map,
)
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    AluaState,
    FloatingGroup,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.base.messages import Message
from lunmapd.core.history.changes import Rollout
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.rollout import read_server_time, undo_rollout
from lunmapd.store.upkeep.backup import take_backup
from support.agents import AgentFactory, H, T, applied, mapped_luns, shown
from support.cluster import Ctl
from support.daemon import running
from support.plain_client import PlainClient
from support.sessions import Connect

if TYPE_CHECKING:
    from lunmapd.agent.loop.agent import Agent

pytestmark = pytest.mark.integration

NODES = ("n1", "n2", "n3")
MINUTE = 60
_MAIN = "from lunmapd.service.ctl import main; main()"


def fleet_map(*numbers: int) -> Lunmap:
    """Make a map of three nodes that show host H the Luns l<number>."""
    shared = Shared(Scope.PER_NODE, Scope.PER_NODE)
    luns = {
        f"l{number}": Lun(
            Block(f"/dev/l{number}"), f"{number:04x}" * 8, maps=(Map(T, number, H),), shared=shared
        )
        for number in numbers
    }
    groups = {name: PortalGroup(index) for index, name in enumerate(NODES, 1)}
    nodes = {name: Node(index, (f"10.0.0.{index}:3260",)) for index, name in enumerate(NODES, 1)}
    return Lunmap(luns, {T: Target(groups)}, {H: Initiator()}, nodes=nodes)


class Fleet:
    """Three nodes on fake kernels, with one clock."""

    def __init__(self, connect: Connect, directory: Path, clock: Clock) -> None:
        self.agents: dict[str, Agent] = {}
        self.kernels: dict[str, FakeLio] = {}
        self._connect, self._clock = connect, clock
        for name in NODES:
            self.kernels[name] = FakeLio()
            self.restart(name, directory / name)

    def restart(self, name: str, place: Path) -> None:
        """Start the daemon of a node, with a state directory of its own and another session."""
        place.mkdir()
        factory = AgentFactory(self._connect(), self.kernels[name], place)
        self.agents[name] = factory(node=name, ids=MachineId(name, place.name), now=self._clock)

    def run(self, *names: str) -> None:
        """Run one cycle of each node."""
        for name in names or NODES:
            self.agents[name].run_cycle()

    def applied(self) -> tuple[int | None, ...]:
        """Return the revision that each node has applied."""
        return tuple(applied(agent) for agent in self.agents.values())

    def shown(self) -> tuple[set[str], ...]:
        """Return the Luns that each node shows the host."""
        return tuple(shown(kernel) for kernel in self.kernels.values())


@pytest.fixture
def fleet(connect: Connect, tmp_path: Path, clock: Clock, session: Session) -> Fleet:
    """Give three nodes that have applied a map with one Lun."""
    Client(session).apply(fleet_map(1))
    made = Fleet(connect, tmp_path, clock)
    made.run()
    assert made.applied() == (1, 1, 1)
    return made


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
        _file(tmp_path, 1, 2),
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


def test_a_first_node_makes_a_mass_removal_that_was_agreed_to(
    session: Session, fleet: Fleet, ctl: Ctl, tmp_path: Path
) -> None:
    """The agreement before the commit confirms it, since 'confirm' would end the rollout."""
    Client(session).apply(fleet_map(*range(1, 12)))
    fleet.run()
    ctl("apply", "-f", _file(tmp_path, 1), "--replace", "--first", "n1", expect=6)
    words = ("--first", "n1", "--confirm-within", "1m", "--yes")
    assert ctl("apply", "-f", _file(tmp_path, 1), "--replace", *words).err.splitlines() == [
        "the other nodes than n1 follow revision 3 after 'lunmapctl rollout continue'",
        "revision 3 is undone after 60 s, unless 'lunmapctl confirm' keeps it",
    ]
    fleet.run()
    assert (fleet.shown()[0], fleet.applied()) == ({"l1"}, (3, 2, 2))
    ctl("rollout", "continue")
    fleet.run()
    assert fleet.shown() == ({"l1"},) * 3


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


def _others(admin: Client, proposal: Proposal) -> Iterator[Callable[[], object]]:
    yield lambda: admin.apply(proposal)
    yield lambda: admin.override("session-drop", 60)
    yield lambda: admin.apply(fleet_map(1), Note(first=("n1",)))


def test_a_first_node_in_good_health_lets_the_others_follow(fleet: Fleet, ctl: Ctl, tmp_path: Path) -> None:
    """After the pause lunmapctl releases the revision by itself; a line for each node says where it is."""
    with ExitStack() as stack:
        for agent in fleet.agents.values():
            stack.enter_context(running(agent))
        words = ("--first", "n1", "--pause", "0", "--wait", "60")
        answer = ctl("apply", "-f", _file(tmp_path, 1, 2), "--replace", "--yes", *words)
    assert "n1: applied revision 2" in answer.err
    assert "n2: waits revision 2" in answer.err
    assert "n3: applied revision 3" in answer.err
    assert fleet.shown() == ({"l1", "l2"},) * 3


def test_a_new_problem_of_a_first_node_halts_a_rollout(fleet: Fleet, ctl: Ctl, tmp_path: Path) -> None:
    """A device that the first node lacks: exit code 6, the other nodes keep their map, as JSON says."""
    fleet.kernels["n1"].missing.add("/dev/l2")
    with ExitStack() as stack:
        for agent in fleet.agents.values():
            stack.enter_context(running(agent))
        words = ("--first", "n1", "--pause", "0", "--wait", "60", "-o", "json")
        answer = ctl("apply", "-f", _file(tmp_path, 1, 2), "--replace", "--yes", *words, expect=6)
        shown = json.loads(ctl("rollout", "show", "-o", "json").out)
    assert "n1: storage_object l2: BackingDeviceMissing" in answer.err
    assert "the rollout of revision 2 is halted, and the other nodes wait" in answer.err
    report = json.loads(answer.out)
    assert report["revision"] == 2
    assert report["nodes"]["n1"]["stage"] == "failing"
    assert (shown["revision"], shown["first"], shown["nodes"]["n2"]) == (2, ["n1"], "waits")
    assert fleet.shown()[1:] == ({"l1"}, {"l1"})


def test_status_and_check_name_a_rollout(session: Session, fleet: Fleet, ctl: Ctl) -> None:
    """Both say what is tried, and until when; it is a problem, since an admin has to end it."""
    Client(session).apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    fleet.run()
    sentence = "revision 2 is tried; it is undone at "
    assert sentence in ctl("status", expect=6).out
    assert sentence in ctl("check", expect=1).out
    assert sentence in ctl("rollout", "show").out
    assert f"lunmapctl: note: {sentence}" in ctl("get").err
    refused = ctl("host", "set", H, "alias=x", expect=4)
    assert "the rollout of revision 2 is not over" in refused.err
    assert ctl("confirm").out == "committed revision 3\n"
    assert ctl("rollout", "show").out == "no rollout is under way\n"


def _file(directory: Path, *numbers: int) -> str:
    path = directory / "map.yaml"
    path.write_text(show_map(fleet_map(*numbers)))
    return str(path)
