"""Commits that are larger than a transaction: in parts that nodes see all at once, or not at all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, show_map
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import Exit, InvalidInputError
from lunmapd.core.base.lunmap import EMPTY_MAP, Initiator, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.map.ledger import as_stored
from lunmapd.store.commit.acts import confirm
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_errors import (
    EditedMeanwhileError,
    NothingStagedError,
    StagedError,
    StoppedError,
    TakenOverError,
)
from lunmapd.store.commit.commit_options import CommitProgress, commit_rules
from lunmapd.store.commit.reuse import ledger_of_history
from lunmapd.store.commit.staged import StagedCommit, read_staged, resume_commit, undo_commit
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError, UnsteadyError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import map_at, walk_revisions
from lunmapd.store.tree.history_errors import PartOnlyError
from lunmapd.store.tree.ledger import read_whole_ledger
from lunmapd.store.tree.read import read_tip, read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.snapshot import Snapshot
from support.cluster import Ctl
from support.commits import put, terms
from support.maps import GIB, lun, luns, with_lun
from support.plain_client import PlainClient
from support.relay import Break, Relay
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration

LARGE = luns(*range(1, 51))
PARTS = 3


@pytest.fixture(autouse=True)
def small_transactions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a transaction to 20 objects, so that 50 are a large commit, except to test the real limits."""
    if "real_limits" not in request.keywords:
        monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)


class KilledError(Exception):
    """Raised in place of the end of the process in the middle of an import."""


def killed_after(parts: int) -> CommitProgress:
    """Make what ends an import after some parts."""

    def progress(done: int, _total: int) -> None:
        if done == parts:
            raise KilledError

    return progress


def leave(session: Session, after: Lunmap, parts: int = 2) -> None:
    """Begin a large commit and leave it behind after some parts."""
    with pytest.raises(KilledError):
        commit(session, read_tree(session), after, replace(terms("ann"), progress=killed_after(parts)))


def content(snapshot: Snapshot) -> Snapshot:
    """Leave out what only a full read knows."""
    return replace(snapshot, versions={})


@pytest.mark.parametrize("large", [LARGE, pytest.param(luns(*range(1, 2501)), marks=pytest.mark.real_limits)])
def test_a_large_map_is_committed_in_parts(session: Session, large: Lunmap) -> None:
    """A map above the limits is written in several revisions, of which nodes follow the last only."""
    known = read_tree(session)
    heard: list[tuple[int, int]] = []
    told = replace(terms(check=commit_rules()), progress=lambda done, total: heard.append((done, total)))
    revision = commit(session, known, large, told)
    assert revision is not None
    assert (revision.revision, revision.part) == (PARTS, PARTS)
    assert heard == [(1, 3), (2, 3), (3, 3)]
    full = read_tree(session)
    assert (full.revision, full.lunmap, full.has_edits, full.staged) == (PARTS, large, False, None)
    assert content(refresh(session, known)) == content(full)
    assert [entry.part for entry in walk_revisions(session, PARTS)] == [3, 2, 1]
    assert map_at(session, full, 0) == Lunmap()


def test_what_is_left_behind_is_seen_by_nobody(session: Session, connect: Connect) -> None:
    """After an import that ended in the middle, running and starting nodes see the map without it."""
    put(session, with_lun(luns(1, 2, 900), "l1", lun(1)))
    known = read_tree(session)
    leave(session, with_lun(LARGE, "l1", lun(1, 2 * GIB)))
    for found in (read_tree(connect()), refresh(session, known)):
        assert (found.revision, found.lunmap, found.has_edits) == (1, luns(1, 2, 900), False)
        assert found.staged is not None
        assert (found.staged.author, found.staged.revision) == ("ann", 3)
    assert refresh(session, known).lunmap is known.lunmap
    tip = read_tip(session)
    assert (tip.revision, tip.has_edits) == (3, False)
    assert 20 < len(tip.lunmap.luns) < 50


def test_others_are_told_who_when_and_what_to_do(session: Session) -> None:
    """While parts are staged, another commit is refused with author, time, and both next steps."""
    leave(session, LARGE)
    with pytest.raises(StagedError, match=r"by ann \('a test'\).*2025-01-31T12:00:00Z") as caught:
        put(session, luns(1), author="bob")
    assert "--resume" in str(caught.value)
    assert "lunmapctl import undo" in str(caught.value)
    assert caught.value.exit_code is Exit.CONFLICT


def test_who_is_late_with_a_large_commit_goes_on_top(session: Session) -> None:
    """As long as no part is made, a large commit is made again on the newest map like any other one."""
    base = read_tree(session)
    put(session, luns(900), base)
    assert commit(session, base, LARGE, terms()) is not None
    assert read_tree(session).lunmap.luns == {**LARGE.luns, **luns(900).luns}


def test_an_import_is_resumed(session: Session, connect: Connect) -> None:
    """Another client resumes the import, and the nodes see the whole at once."""
    known = read_tree(session)
    leave(session, LARGE)
    other = connect()
    revision = resume_commit(other, read_staged(other), LARGE, terms("bob", commit_rules()))
    assert (revision.revision, revision.part, revision.author) == (PARTS, PARTS, "bob")
    found = refresh(session, known)
    assert (found.revision, found.lunmap, found.staged) == (PARTS, LARGE, None)
    assert content(found) == content(read_tree(session))


def test_an_import_that_lacks_only_its_release_is_resumed(session: Session) -> None:
    """When all parts are there, resuming releases them and writes nothing else."""
    leave(session, LARGE, PARTS)
    assert resume_commit(session, read_staged(session), LARGE, terms()).revision == PARTS
    assert read_tree(session).lunmap == LARGE


def test_an_import_is_resumed_towards_another_map(session: Session) -> None:
    """A corrected map may be given to resume: the staged parts are changed to it."""
    leave(session, LARGE)
    corrected = with_lun(luns(*range(1, 40)), "l1", lun(1, 7 * GIB))
    resume_commit(session, read_staged(session), corrected, terms(check=commit_rules()))
    assert read_tree(session).lunmap == corrected


def test_only_the_end_of_an_import_must_keep_the_rules(session: Session) -> None:
    """A map that breaks a rule is refused before the first part, and when resuming."""
    bad = with_lun(LARGE, "twin", lun(1))
    with pytest.raises(InvalidInputError):
        commit(session, read_tree(session), bad, terms(check=commit_rules()))
    assert read_tree(session).staged is None
    leave(session, LARGE)
    with pytest.raises(InvalidInputError):
        resume_commit(session, read_staged(session), bad, terms(check=commit_rules()))


def test_an_import_is_undone(session: Session) -> None:
    """Undo restores the map that nodes follow, by revisions of its own, and others can commit again."""
    before = luns(1, 2, 900)
    put(session, before)
    known = read_tree(session)
    leave(session, with_lun(LARGE, "l1", lun(1, 2 * GIB)))
    revision = undo_commit(session, read_staged(session), terms("bob"))
    assert revision.author == "bob"
    found = refresh(session, known)
    assert (found.revision, found.lunmap, found.staged) == (revision.revision, before, None)
    assert found.digest == known.digest
    assert content(found) == content(read_tree(session))
    put(session, luns(1))
    assert map_at(session, read_tree(session), 1) == before


def test_a_part_is_no_place_to_go_back_to(session: Session) -> None:
    """Neither a rollback nor a confirmation may name a revision that no node ever followed by itself."""
    put(session, luns(1))
    commit(session, read_tree(session), LARGE, terms())
    client, now = Client(session), read_tree(session)
    for number in (2, 3):
        with pytest.raises(PartOnlyError, match=f"revision {number} is only a part"):
            client.rollback(number)
        with pytest.raises(PartOnlyError):
            confirm(session, now, number, terms())
    assert confirm(session, now, 4, terms()) is not None
    assert client.rollback(1) is not None
    assert read_tree(session).lunmap == luns(1)


def test_the_command_line_tells_and_mends(session: Session) -> None:
    """The command line shows the staged import, refuses to commit, and resumes or undoes it."""
    ctl = Ctl(session.hosts, session.root)
    ctl("apply", "-f", "-", stdin=show_map(luns(1)))
    leave(session, LARGE)
    assert "a large commit by ann is not complete: its last part is revision 3" in ctl("status", expect=6).out
    assert "lunmapctl import undo" in ctl.apply(show_map(luns(2)), wait=None, expect=4).err
    undone = ctl("import", "undo", "-m", "wrong file")
    assert undone.out.endswith("committed revision 4\n")
    assert ctl("diff", "1..").out == ""
    assert "nothing to undo" in ctl("import", "undo", expect=1).err
    leave(session, LARGE)
    resumed = ctl("apply", "-f", "-", "--resume", "--replace", stdin=show_map(LARGE))
    assert "part 1 of 1 was written" in resumed.err
    assert read_tree(session).lunmap == LARGE
    again = ctl("apply", "-f", "-", "--resume", stdin=show_map(LARGE))
    assert again.out == "nothing to change: the map is at revision 7\n"
    assert "part=1" in ctl("log").out
    leave(session, luns(1))
    refused = ctl("apply", "-f", "-", "--resume", "--replace", stdin=show_map(EMPTY_MAP), expect=6)
    assert "use --allow-empty\nlunmapctl: nothing was committed" in refused.err
    assert "part=3" in ctl("rollback", "1", "--resume").out + ctl("log", "-n", "1").out
    assert read_tree(session).lunmap == luns(1)


def test_without_an_import_there_is_nothing_to_undo(session: Session) -> None:
    """Undo without a staged import is refused."""
    with pytest.raises(NothingStagedError):
        read_staged(session)


def test_of_two_who_resume_one_wins(session: Session, connect: Connect) -> None:
    """Two clients that resume at the same time leave one whole import; the other one gets an error."""
    leave(session, LARGE, 1)
    others = [connect(), connect()]
    halves = [read_staged(other) for other in others]

    def go_on(other: Session, halfway: StagedCommit) -> str:
        try:
            return str(resume_commit(other, halfway, LARGE, terms()).revision)
        except TakenOverError:
            return "late"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(go_on, others, halves))
    assert sorted(ends) == [str(PARTS), "late"]
    assert read_tree(session).lunmap == LARGE


def test_who_undoes_stops_who_goes_on(session: Session, connect: Connect) -> None:
    """An importer that only seemed dead is stopped by the one who undoes its parts, and nothing is mixed."""
    other, halfway = connect(), list[StagedCommit]()

    def undone(done: int, _total: int) -> None:
        if done == 2 and not halfway:
            halfway.append(read_staged(other))
            undo_commit(other, halfway[0], terms("bob"))

    with pytest.raises(TakenOverError):
        commit(session, read_tree(session), LARGE, replace(terms(), progress=undone))
    assert read_tree(session).lunmap == Lunmap()
    with pytest.raises(TakenOverError):
        undo_commit(session, halfway[0], terms())


@pytest.mark.parametrize("broken", Break)
@pytest.mark.parametrize("part", [1, 2, PARTS])
def test_a_lost_connection_makes_each_part_once(
    session: Session, connect: Connect, broken: Break, part: int
) -> None:
    """A connection lost at the first part, a later part or the release loses nothing and doubles nothing."""
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts)

        def break_at(done: int, _total: int) -> None:
            if done == part:
                relay.next_break = broken

        base = read_tree(through)
        assert commit(through, base, LARGE, replace(terms(), progress=break_at)) is not None
        assert relay.next_break is None
        through.close()
    with PlainClient(session) as shell:
        assert shell.children(paths.REVISIONS) == [f"{number:010d}" for number in range(1, PARTS + 1)]
    assert read_tree(session).lunmap == LARGE


def test_an_import_that_stops_says_what_it_left(session: Session, connect: Connect) -> None:
    """When ZooKeeper is lost in the middle, the error names the progress and the command to resume."""
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts, deadline=4.0)
        base = until_reachable(lambda: read_tree(through))

        def shut(done: int, _total: int) -> None:
            if done == 1:
                relay.next_break, relay.shut_at_break = Break.BEFORE, True

        with pytest.raises(StoppedError, match="after 1 of 3 parts") as caught:
            commit(through, base, LARGE, replace(terms(), progress=shut))
        assert caught.value.exit_code is Exit.UNREACHABLE
        through.close()
    assert resume_commit(session, read_staged(session), LARGE, terms()).part == PARTS


def test_an_edit_in_the_middle_stops_the_import(session: Session) -> None:
    """An object that is added out of band is not overwritten; resume records it."""

    def edited(done: int, _total: int) -> None:
        if done == 2:
            with PlainClient(session) as shell:
                shell.create("luns/l9", encode(lun(9, 5 * GIB)))

    with pytest.raises(StoppedError) as caught:
        commit(session, read_tree(session), LARGE, replace(terms(), progress=edited))
    assert isinstance(caught.value.cause, EditedMeanwhileError)
    assert read_tree(session).has_edits
    resume_commit(session, read_staged(session), LARGE, terms())
    found = read_tree(session)
    assert (found.lunmap, found.has_edits) == (LARGE, False)


def test_edits_are_taken_in_by_parts(session: Session) -> None:
    """A large commit over edited objects records the edits, and its undo leaves the map of the history."""
    put(session, luns(1, 2, 48))
    with PlainClient(session) as shell:
        shell.set("luns/l48", encode(lun(48, 5 * GIB)))
        shell.delete("luns/l2")
    assert read_tree(session).has_edits
    leave(session, LARGE)
    undo_commit(session, read_staged(session), terms())
    found = read_tree(session)
    assert map_at(session, found, 1) == luns(1, 2, 48)
    commit(session, found, LARGE, terms())
    found = read_tree(session)
    assert (found.lunmap, found.has_edits) == (LARGE, False)


def test_parts_that_were_tampered_with_are_damage(session: Session) -> None:
    """Without the record of a part the map of the nodes is unknown, and the tree counts as damaged."""
    leave(session, LARGE)
    with PlainClient(session) as shell:
        shell.delete(paths.revision(1))
    with pytest.raises(DamagedError, match="record of a large commit"):
        read_tree(session)


def test_reading_during_an_import_shows_no_part_of_it(session: Session, connect: Connect) -> None:
    """A full read while parts are written returns the map before or after the import."""
    reader = connect()
    put(session, luns(1, 2, 3))

    def write() -> None:
        for after in 3 * (LARGE, luns(1, 2, 3)):
            commit(session, read_tree(session), after, terms())

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[Snapshot] = []
    while writer.is_alive():
        with suppress(UnsteadyError):
            seen.append(read_tree(reader))
    writer.join()
    assert seen
    assert all(found.lunmap in (LARGE, luns(1, 2, 3)) for found in seen)
    assert not any(found.has_edits for found in seen)


def mapped(*numbers: int) -> Lunmap:
    """Return Luns l<number>, each mapped to one host under its number."""
    target, host = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
    bare = luns(*numbers)
    return replace(
        bare,
        luns={
            name: replace(found, maps=(Map(target, number, host),))
            for number, (name, found) in zip(numbers, bare.luns.items(), strict=True)
        },
        targets={target: Target({"n1": PortalGroup(1)})},
        initiators={host: Initiator()},
        nodes={"n1": Node(1, ("10.0.0.1:3260",))},
    )


def used(session: Session) -> tuple[tuple[int, int], ...]:
    """Return the LUN numbers in the ledger."""
    numbers = read_whole_ledger(session).ledger.numbers(
        "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
    )
    return numbers.used


def test_a_large_commit_leaves_numbers(session: Session) -> None:
    """What a commit in parts takes away is in the ledger once, with the revision of its first part."""
    put(session, mapped(*range(1, 51)))
    before = read_tree(session).revision
    put(session, mapped(60))
    assert used(session) == ((1, 50),)
    stored = read_whole_ledger(session).ledger
    uses = stored.numbers("iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h").former
    assert {use.revision for use in uses} == {before + 1}
    now = read_tree(session)
    folded = ledger_of_history(session, now.lunmap, now.revision)
    assert {name: as_stored(record) for name, record in folded.initiators.items()} == stored.initiators


def test_a_large_commit_that_is_undone_uses_nothing(session: Session) -> None:
    """No node saw the numbers of parts that were never released: they are free for any Lun."""
    put(session, mapped(60))
    before = read_tree(session)
    with suppress(KilledError):
        commit(session, before, mapped(*range(1, 51)), replace(terms(), progress=killed_after(2)))
    undo_commit(session, read_staged(session), terms())
    assert used(session) == ()
    other = replace(mapped(1).luns["l1"], serial="f" * 32)
    assert put(session, with_lun(mapped(60), "other", other)) is not None


@pytest.mark.parametrize("done", [1, 3])
def test_a_large_commit_that_is_resumed_leaves_numbers(session: Session, done: int) -> None:
    """However far it came, the resumed commit records what it takes away."""
    put(session, mapped(*range(1, 51)))
    with suppress(KilledError):
        commit(session, read_tree(session), mapped(60), replace(terms(), progress=killed_after(done)))
    resume_commit(session, read_staged(session), mapped(60), terms())
    assert used(session) == ((1, 50),)


def test_a_large_commit_may_lead_no_number_elsewhere(session: Session) -> None:
    """A commit in parts obeys the rule as a whole, also when it is resumed with another map."""
    put(session, mapped(*range(1, 51)))
    swapped = mapped(*range(1, 51))
    first, second = swapped.luns["l1"], swapped.luns["l2"]
    wrong = with_lun(
        with_lun(swapped, "l1", replace(first, maps=second.maps)), "l2", replace(second, maps=first.maps)
    )
    with pytest.raises(InvalidInputError, match="LUN 2 leads"):
        put(session, wrong)
    with suppress(KilledError):
        commit(session, read_tree(session), mapped(60), replace(terms(), progress=killed_after(1)))
    with pytest.raises(InvalidInputError, match="LUN 2 leads"):
        resume_commit(session, read_staged(session), wrong, terms())
    named = replace(terms(), reuse_luns=frozenset({"l1", "l2"}))
    resume_commit(session, read_staged(session), wrong, named)
    allowance = read_tree(session).allowance
    assert allowance is not None
    assert allowance.luns == ("l1", "l2")
