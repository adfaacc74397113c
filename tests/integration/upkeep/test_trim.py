"""Trimming the history, interrupted at any step."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from lunmapd.client import Client, HistoryTrimmedError, HistoryUnknownError, Note
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import submit_in_tree
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError, UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.checkpoint import list_checkpoints, newest_checkpoint, read_checkpoint
from lunmapd.store.tree.history import map_at, walk_revisions
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.znodes import list_revisions
from lunmapd.store.upkeep.init import initialise
from lunmapd.store.upkeep.trim import Trimmed, trim
from support.cluster import Ctl
from support.commits import put
from support.maps import GIB, lun, luns
from support.plain_client import PlainClient
from support.relay import Break, Relay
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration

NEWEST = 10
KEEP = 4
OLDEST = 7
NOTE = Note("a test", "ann")


def expected(number: int) -> Lunmap:
    """Return the map of a revision: Lun l0 stays, each revision brings one and takes the one before."""
    return luns(1000, number) if number else Lunmap()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a checkpoint of several chunks, and remove revisions by threes."""
    monkeypatch.setattr("lunmapd.core.history.checkpoint.CHUNK_SIZE", 80)
    monkeypatch.setattr("lunmapd.store.upkeep.trim.MAX_BATCH", 3)


@pytest.fixture
def long(session: Session) -> Session:
    """Give a session on a tree of ten revisions."""
    known = read_tree(session)
    for number in range(1, NEWEST + 1):
        put(session, expected(number), known)
        known = refresh(session, known)
    return session


def check(session: Session, oldest: int) -> None:
    """Assert that the history is complete from `oldest` on, and that it finds an out-of-band edit."""
    now = read_tree(session)
    assert (now.lunmap, now.has_edits) == (expected(NEWEST), False)
    for number in range(oldest, NEWEST + 1):
        assert map_at(session, now, number) == expected(number)
    with PlainClient(session) as shell:
        before = shell.get("luns/l1000")
        shell.set("luns/l1000", encode(lun(1000, 5 * GIB)))
        shell.create("luns/l77", encode(lun(77)))
        assert read_tree(session).edited == {"luns/l1000": encode(lun(1000)), "luns/l77": None}
        shell.set("luns/l1000", before)
        shell.delete("luns/l77")


def test_old_revisions_go_and_nothing_is_lost(long: Session) -> None:
    """After trimming the last revisions are complete; an older one is reported as trimmed."""
    assert trim(long, KEEP) == Trimmed(OLDEST, NEWEST - KEEP)
    assert list_revisions(long) == list(range(OLDEST, NEWEST + 1))
    assert list_checkpoints(long) == [OLDEST]
    check(long, OLDEST)
    with pytest.raises(HistoryTrimmedError) as caught:
        map_at(long, read_tree(long), OLDEST - 1)
    assert caught.value.oldest == OLDEST
    assert [revision.revision for revision in walk_revisions(long, NEWEST)] == [10, 9, 8, 7]


def test_the_checkpoint_is_in_chunks(long: Session) -> None:
    """The map at the oldest revision is stored in chunks of the largest size, with its digest."""
    trim(long, KEEP)
    with PlainClient(long) as shell:
        names = shell.children(paths.checkpoint(OLDEST))
        sizes = [len(shell.get(f"{paths.checkpoint(OLDEST)}/{name}")) for name in names]
    assert names[:2] == ["0000", "0001"]
    assert set(sizes[:-1]) == {80}
    found = read_checkpoint(long, OLDEST)
    assert found is not None
    assert found.documents == {f"luns/{name}": encode(value) for name, value in expected(OLDEST).luns.items()}


def test_trimming_again_moves_the_checkpoint(long: Session) -> None:
    """The next trimming replaces the checkpoint; one without anything to do changes nothing."""
    trim(long, KEEP)
    assert trim(long, KEEP) == Trimmed(OLDEST, 0)
    assert list_checkpoints(long) == [OLDEST]
    assert trim(long, 1) == Trimmed(NEWEST, 3)
    assert (list_checkpoints(long), list_revisions(long)) == ([NEWEST], [NEWEST])
    check(long, NEWEST)
    assert trim(long, NEWEST) == Trimmed(1, 0)


def test_a_young_history_is_left_alone(session: Session) -> None:
    """With fewer revisions than are kept there is nothing to do and no checkpoint."""
    put(session, luns(1))
    assert trim(session, KEEP) == Trimmed(1, 0)
    assert list_checkpoints(session) == []


# A checkpoint takes one transaction, one for each of its chunks and one for its header; then two of revisions
# go, and the checkpoint before.
@pytest.mark.parametrize("passed", range(8))
def test_who_stops_in_the_middle_leaves_a_whole_history(long: Session, connect: Connect, passed: int) -> None:
    """Interrupted at any step, trimming leaves every kept revision readable; the next one completes it."""
    trim(long, NEWEST - 2)
    with Relay(long.hosts) as relay:
        through = connect(relay.hosts, deadline=1.0)
        until_reachable(lambda: read_tree(through))
        relay.next_break, relay.spare, relay.shut_at_break = Break.BEFORE, passed, True
        with suppress(UnreachableError):
            trim(through, KEEP)
        through.close()
    check(long, OLDEST)
    trim(long, KEEP)
    assert (list_checkpoints(long), list_revisions(long)) == ([OLDEST], list(range(OLDEST, NEWEST + 1)))
    check(long, OLDEST)


def test_two_may_trim_at_the_same_time(long: Session, connect: Connect) -> None:
    """Clients that trim at the same time, to the same number or another, leave one whole history."""
    others = [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(trim, others, 4 * (KEEP,)))
    assert (list_checkpoints(long), list_revisions(long)) == ([OLDEST], list(range(OLDEST, NEWEST + 1)))
    check(long, OLDEST)


def test_a_checkpoint_that_is_not_ours_stops_trimming(long: Session) -> None:
    """With a foreign znode in the checkpoint's place nothing is removed."""
    with PlainClient(long) as shell:
        shell.create(paths.checkpoint(OLDEST), b"")
        shell.create(paths.chunk(OLDEST, 1), b"something else")
    with pytest.raises(DamagedError, match="differs from what was written"):
        trim(long, KEEP)
    assert list_revisions(long) == list(range(1, NEWEST + 1))


@pytest.mark.parametrize(
    "harm",
    [
        b"garbage",
        b'{"revision":7,"digest":"0","chunks":9}',
        b'{"revision":8,"digest":"0","chunks":1}',
        b'{"revision":7,"digest":"0","chunks":1000000000000}',
        b'{"revision":7,"digest":"0","chunks":-1}',
    ],
)
def test_a_broken_checkpoint_is_not_believed(long: Session, harm: bytes) -> None:
    """A checkpoint with a wrong header is ignored; then edits before the oldest revision are unknown."""
    trim(long, KEEP)
    with PlainClient(long) as shell:
        shell.set(paths.checkpoint(OLDEST), harm)
        shell.set("luns/l1000", encode(lun(1000, 5 * GIB)))
    assert newest_checkpoint(long, NEWEST).revision == 0
    assert read_tree(long).edited == {}
    with pytest.raises(HistoryUnknownError):
        trim(long, 1)


@pytest.mark.parametrize("name", ["9" * 5000, "7", "00000000007", "\u0967\u0966", "x"])
def test_a_name_that_is_no_number_of_ours_is_passed_over(long: Session, name: str) -> None:
    """A foreign name beside revisions and checkpoints is ignored."""
    with PlainClient(long) as shell:
        for parent in (paths.REVISIONS, paths.CHECKPOINTS):
            shell.create(f"{parent}/{name}", b"")
    assert (list_revisions(long), list_checkpoints(long)) == (list(range(1, NEWEST + 1)), [])
    assert trim(long, KEEP) == Trimmed(OLDEST, OLDEST - 1)
    check(long, OLDEST)


def test_edits_are_not_written_into_a_checkpoint(long: Session) -> None:
    """Trimming keeps out-of-band edits out of the history, and they are still found after it."""
    with PlainClient(long) as shell:
        shell.set("luns/l1000", encode(lun(1000, 5 * GIB)))
    trim(long, KEEP)
    found = newest_checkpoint(long, NEWEST)
    assert found.documents["luns/l1000"] == encode(lun(1000))
    assert set(read_tree(long).edited) == {"luns/l1000"}


def test_revisions_that_are_gone_already_stop_trimming(long: Session) -> None:
    """Without the revisions that lead back no checkpoint can be made, and nothing is removed."""
    with PlainClient(long) as shell:
        shell.delete(paths.revision(8))
    with pytest.raises(HistoryTrimmedError):
        trim(long, KEEP)
    assert len(list_revisions(long)) == NEWEST - 1


def test_a_tree_that_was_made_anew_is_not_trimmed(long: Session) -> None:
    """A client that began to trim a tree removes nothing from another tree in its place."""
    now = read_tree(long)
    with PlainClient(long) as shell:
        shell.delete("")
    initialise(long)
    put(long, luns(1))
    with pytest.raises(DamagedError, match="as after the tree was replaced"):
        submit_in_tree(long, paths.tree_id(now.cluster, 0), [Write(paths.revision(1), b"", None)])
    assert list_revisions(long) == [1]


def test_commits_trim_by_themselves(session: Session) -> None:
    """When there is twice as much as is kept, the next commit trims; it stays done if that fails."""
    client = Client(session, keep=3)
    for number in range(1, 7):
        client.apply(luns(number), NOTE)
    assert list_revisions(session) == [1, 2, 3, 4, 5, 6]
    client.apply(luns(7), NOTE)
    assert list_revisions(session) == [5, 6, 7]
    for number in range(8, 12):
        client.apply(luns(number), NOTE)
    assert list_revisions(session) == [9, 10, 11]


def test_a_commit_does_not_fail_by_trimming(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """When the history can't be trimmed, the commit is done all the same, and the reason is logged."""
    client = Client(session, keep=3)
    for number in range(1, 7):
        client.apply(luns(number), NOTE)
    with PlainClient(session) as shell:
        shell.delete(paths.revision(5))
        shell.create(paths.revision(99), b"")
    with caplog.at_level(logging.WARNING):
        made = client.apply(luns(7), NOTE)
    assert made is not None
    assert "the history was not trimmed" in caplog.text


def test_the_command_line_trims(long: Session) -> None:
    """The command line prints how many revisions were removed and which is the oldest now."""
    ctl = Ctl(long.hosts, long.root)
    assert ctl("trim", "--keep", "4").out == "removed 6 revisions; the oldest kept revision is 7\n"
    assert "does not go back to revision 2" in ctl("show", "2", expect=1).err
