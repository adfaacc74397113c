"""The commit queue: a writer that lost once gets its turn, and no writer can stop the others."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from lab.wait import wait_until
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.commit.commit import edit
from lunmapd.store.commit.commit_errors import NestedCommitError
from lunmapd.store.commit.publish import MadeCommit
from lunmapd.store.commit.queue import LONGEST_TURN, CommitQueue
from lunmapd.store.session import paths
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.roles import read_roles
from lunmapd.store.tree.permissions.set_roles import find_differences
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.znodes import list_children
from support.commits import overtake, put, terms
from support.maps import lun, luns, with_lun
from support.plain_client import PlainClient
from support.relay import CREATE, Break, Relay
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration


def add(session: Session, number: int, at_run: Callable[[int], None] = lambda _: None) -> MadeCommit | None:
    """Add a Lun; `at_run` is called with the number of the attempt, from 1, while the commit is prepared."""
    runs = iter(range(1, 99))

    def change(lunmap: Lunmap) -> Lunmap:
        at_run(next(runs))
        return with_lun(lunmap, f"l{number}", lun(number))

    return edit(session, read_tree(session), change, terms())


def wait_for_writers(session: Session, count: int) -> None:
    """Wait until so many writers are in the queue."""
    wait_until("writers are in the queue", lambda: len(list_children(session, paths.QUEUE) or ()) == count)


def revision_of(made: MadeCommit | None) -> int:
    """Return the revision that a writer made."""
    assert made is not None
    return made.revision.revision


def test_a_slow_writer_is_overtaken_once(session: Session, connect: Connect) -> None:
    """However long a writer prepares its commit, those that come after its first loss are made after it."""
    others = [connect() for _ in range(3)]
    later: list[Future[MadeCommit | None]] = []
    with ThreadPoolExecutor() as pool:

        def prepare(run: int) -> None:
            if run == 1:
                put(others[0], luns(9))
            else:
                for number, other in enumerate(others, 2):
                    later.append(pool.submit(add, other, number))
                    wait_for_writers(session, number)

        assert revision_of(add(session, 1, prepare)) == 2
    assert [revision_of(each.result()) for each in later] == [3, 4, 5]
    assert read_tree(session).lunmap == luns(9, 1, 2, 3, 4)
    assert list_children(session, paths.QUEUE) == []


def test_the_place_of_a_killed_writer_ends_with_its_session(session: Session, connect: Connect) -> None:
    """Writers behind one that died commit as soon as the servers end its session."""
    holder = connect()
    CommitQueue(holder).wait()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(add, session, 1)
        wait_for_writers(session, 2)
        holder.close()
        assert revision_of(waiting.result()) == 1


def test_a_frozen_writer_is_passed_over(
    session: Session, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that keeps its turn too long loses its place; its commit is made later, once."""
    monkeypatch.setattr("lunmapd.store.commit.queue.LONGEST_TURN", 0.3)
    others, thawed = (connect(), connect()), threading.Event()

    def freeze(run: int) -> None:
        if run == 1:
            put(others[0], luns(9))
        elif run == 2:
            assert thawed.wait(60)

    with ThreadPoolExecutor() as pool:
        frozen = pool.submit(add, session, 1, freeze)
        wait_for_writers(others[1], 1)
        assert revision_of(add(others[1], 2)) == 2
        thawed.set()
        assert revision_of(frozen.result()) == 3
    assert read_tree(session).lunmap == luns(9, 2, 1)


def test_a_commit_inside_an_edit_is_refused_at_once(session: Session) -> None:
    """A change function that commits would wait for its own edit; both end, and the session commits again."""

    def nest(_: int) -> None:
        add(session, 2)

    began = time.monotonic()
    with pytest.raises(NestedCommitError, match="return all"):
        add(session, 1, nest)
    assert time.monotonic() - began < LONGEST_TURN / 2
    assert read_tree(session).revision == 0
    assert list_children(session, paths.QUEUE) == []
    assert revision_of(add(session, 3)) == 1


def test_threads_of_one_session_commit_side_by_side(session: Session) -> None:
    """A commit of another thread during an edit is no nested one: the edit is made after it."""
    with ThreadPoolExecutor() as pool:

        def interfere(run: int) -> None:
            if run == 1:
                assert revision_of(pool.submit(add, session, 2).result()) == 1

        assert revision_of(add(session, 1, interfere)) == 2


def test_a_writer_without_a_place_enters_the_queue_again(session: Session, connect: Connect) -> None:
    """A transaction that finds its writer's place deleted makes nothing, and the next attempt does."""
    other = connect()

    def interfere(run: int) -> None:
        if run == 1:
            put(other, luns(9))
        elif run == 2:
            with PlainClient(other) as shell:
                for name in shell.children(paths.QUEUE):
                    shell.delete(f"{paths.QUEUE}/{name}")

    assert revision_of(add(session, 1, interfere)) == 2
    assert read_tree(session).revision == 2


def test_a_client_without_the_queue_overtakes_and_harms_nothing(session: Session) -> None:
    """A client of an earlier version may win against the first of the queue, which then tries again."""
    numbers = iter((7, 8, 9))

    def interfere(run: int) -> None:
        if run <= 3:
            number = next(numbers)
            overtake(session, lambda lunmap: with_lun(lunmap, f"l{number}", lun(number)))

    assert revision_of(add(session, 1, interfere)) == 4
    assert read_tree(session).lunmap == luns(7, 8, 9, 1)


def test_a_tree_of_an_earlier_version_gets_the_queue(session: Session) -> None:
    """The first writer that has to wait makes the parent of the places."""
    with PlainClient(session) as shell:
        shell.delete(paths.QUEUE)
    add(session, 1, lambda run: overtake(session, lambda _: luns(9)) if run == 1 else None)
    assert read_tree(session).lunmap == luns(9, 1)
    assert list_children(session, paths.QUEUE) == []


def test_a_refused_commit_leaves_the_queue(session: Session) -> None:
    """A writer whose commit fails while it has the turn lets the next one go on."""

    def fail(run: int) -> None:
        if run == 2:
            raise ZeroDivisionError
        overtake(session, lambda _: luns(9))

    with pytest.raises(ZeroDivisionError):
        add(session, 1, fail)
    wait_for_writers(session, 0)


def test_a_place_has_the_permissions_of_its_parent(session: Session) -> None:
    """A place allows nothing that does not follow from the roles."""
    with CommitQueue(session) as queue:
        queue.wait()
        assert find_differences(session, read_roles(session), lambda _: None) == ()


def test_a_large_commit_leaves_the_queue_with_its_first_part(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those behind a commit in parts needn't wait for its release, which would refuse them anyway."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 10)
    large, waiting = luns(*range(1, 20)), list[int]()

    def look(done: int, total: int) -> None:
        waiting.append(len(list_children(session, paths.QUEUE) or ()))
        assert done <= total > 1

    runs = iter((1, 2))

    def grow(_: Lunmap) -> Lunmap:
        if next(runs) == 1:
            overtake(session, lambda _: luns(9))
        return large

    edit(session, read_tree(session), grow, replace(terms(), progress=look))
    assert set(waiting) == {0}
    assert read_tree(session).lunmap == large


def test_a_writer_that_lost_its_connection_leaves_the_queue(session: Session, connect: Connect) -> None:
    """The place is deleted once the connection is back, not only when the session ends."""
    with Relay(session.hosts) as relay:
        writer = connect(relay.hosts)
        with CommitQueue(writer) as queue:
            queue.wait()
            relay.drop()
        wait_for_writers(session, 0)


def test_a_place_that_is_made_after_its_writer_gave_up_is_deleted(session: Session, connect: Connect) -> None:
    """A writer that got no answer to the creation of its place leaves none, though its session lives."""
    with Relay(session.hosts) as relay:
        writer = connect(relay.hosts, deadline=1.0, timeout=60.0)
        until_reachable(writer.whoami)
        relay.breaks_at, relay.next_break, relay.shut_at_break = CREATE, Break.AFTER, True
        with CommitQueue(writer) as queue, pytest.raises(UnreachableError):
            queue.wait()
        assert len(list_children(session, paths.QUEUE) or ()) == 1
        relay.shut = False
        until_reachable(writer.whoami)
        wait_for_writers(session, 0)
