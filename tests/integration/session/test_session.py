import logging
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count

import pytest

from lab.wait import wait_until
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.core.base.events import Event
from lunmapd.core.base.permissions.principals import MEMBERS
from lunmapd.core.fleet.status import Live
from lunmapd.store.session.errors import (
    NoAccessError,
    NotInitialisedError,
    ServerRefusedError,
    UnreachableError,
)
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.watch import watch_head
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.debug_log import values
from support.maps import luns
from support.plain_client import PlainClient
from support.relay import Relay
from support.sessions import LIVE, STATUS, Connect, expire, until_reachable

pytestmark = pytest.mark.integration

NOBODY = "127.0.0.1:1"


class Rings:
    """Counts how often the loop would have been woken."""

    def __init__(self) -> None:
        self._counter = count()
        self.seen = 0

    def ring(self, _: WakeCause) -> None:
        """Count one."""
        self.seen = next(self._counter) + 1


def quiet(session: Session, rings: Rings) -> int:
    """Return the callbacks so far, after all pending requests and their events."""
    read_tree(session)
    wait_until("all callbacks have run", lambda: session.link._handler.callback_queue.unfinished_tasks == 0)
    return rings.seen


def test_a_commit_wakes_every_watcher(session: Session, connect: Connect) -> None:
    """Each commit fires the watch, not only the first, since the watch is set again."""
    rings = Rings()
    watcher = connect()
    watch_head(watcher, rings.ring)
    known = read_tree(watcher)
    for number in range(3):
        before = quiet(watcher, rings)
        put(session, luns(number))
        wait_until("the watch fires", partial(lambda seen: rings.seen > seen, before))
        known = refresh(watcher, known)
        assert known.lunmap == luns(number)


def test_a_watch_set_before_there_is_a_tree_sees_it_made(connect: Connect) -> None:
    """A node that waits for the tree is woken when it is made."""
    rings = Rings()
    watcher = connect()
    watch_head(watcher, rings.ring)
    with pytest.raises(NotInitialisedError):
        quiet(watcher, rings)
    before = rings.seen
    initialise(connect())
    wait_until("the watch fires", lambda: rings.seen > before)


def test_the_watch_outlives_the_connection(session: Session, connect: Connect) -> None:
    """After a lost connection the loop is woken, and the watch is there again."""
    rings = Rings()
    with Relay(session.hosts) as relay:
        watcher = connect(relay.hosts)
        watch_head(watcher, rings.ring)
        before = quiet(watcher, rings)
        relay.drop()
        wait_until("the watch fires", lambda: rings.seen > before)
        before = quiet(watcher, rings)
        put(session, luns(1))
        wait_until("the watch fires", lambda: rings.seen > before)
        watcher.close()


def test_the_watch_outlives_the_session(session: Session, connect: Connect) -> None:
    """After an expired session the watch is there again in the new one."""
    rings = Rings()
    watcher = connect()
    watch_head(watcher, rings.ring)
    quiet(watcher, rings)
    old = watcher.session_id
    expire(watcher)
    wait_until("a new session", lambda: watcher.session_id not in {None, old})
    before = quiet(watcher, rings)
    put(session, luns(1))
    wait_until("the watch fires", lambda: rings.seen > before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_client_is_replaced(
    session: Session, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """When kazoo's connection thread ends at a malformed answer, calls and watches use a new client.

    The debug log has the reason.
    """
    caplog.set_level(logging.DEBUG)
    rings = Rings()
    with Relay(session.hosts) as relay:
        victim = connect(relay.hosts)
        watch_head(victim, rings.ring)
        quiet(victim, rings)
        dead = victim.link.current
        relay.garble = True
        assert read_tree(victim).revision == 0
        assert victim.link.current is not dead
        assert values(caplog.records, Event.CLIENT_REBUILT, "reason") == ["a thread of kazoo's has ended"]
        before = quiet(victim, rings)
        put(session, luns(1))
        wait_until("the watch fires", lambda: rings.seen > before)
        victim.close()


@pytest.mark.parametrize(
    "call",
    [
        initialise,
        read_tree,
        read_fleet,
        lambda s: register(s, "n1", LIVE),
        lambda s: write_status(s, "n1", STATUS),
    ],
)
def test_without_a_server_every_call_ends(connect: Connect, call: object) -> None:
    """Without a server each call ends at its deadline, and names the hosts."""
    assert callable(call)
    session = connect(NOBODY, deadline=0.5)
    begin = time.monotonic()
    with pytest.raises(UnreachableError, match=NOBODY):
        call(session)
    assert time.monotonic() - begin < 30
    assert not session.connected
    assert session.session_id is None


def test_a_lost_server_ends_every_call(session: Session, connect: Connect) -> None:
    """With the server gone a refresh and a commit end at their deadline.

    Nothing of the commit stays queued.
    """
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts, deadline=1.0)
        base = until_reachable(lambda: read_tree(through))
        relay.shut = True
        relay.drop()
        wait_until("the connection is lost", lambda: not through.connected)
        with pytest.raises(UnreachableError):
            refresh(through, base)
        with pytest.raises(UnreachableError):
            put(through, luns(1), base)
        relay.shut = False
        wait_until("the session is connected", lambda: through.connected)
        assert until_reachable(lambda: read_tree(through)).revision == 0
        through.close()


def test_a_client_without_a_connection_for_long_is_replaced(session: Session, connect: Connect) -> None:
    """A client that finds no server for many session timeouts is replaced, and its successor connects."""
    with Relay(session.hosts) as relay:
        relay.shut = True
        lonely = connect(relay.hosts, timeout=0.2)
        first = lonely.link.current
        wait_until("the client is replaced", lambda: lonely.link.current is not first)
        relay.shut = False
        wait_until("the session is connected", lambda: lonely.connected)
        lonely.close()


@contextmanager
def out_of_files() -> Iterator[None]:
    """Let the process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def out_of_threads(spare: int) -> AbstractContextManager[None]:
    """Let the process start so many more threads."""
    left = count(spare, -1)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if next(left) <= 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    @contextmanager
    def harm() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            yield

    return harm()


def answer(session: Session) -> str:
    """Return the result of a read of the tree."""
    try:
        read_tree(session)
    except NoAccessError as error:
        return type(error).__name__
    return "read"


@pytest.mark.parametrize(
    "harm",
    [out_of_files, *(partial(out_of_threads, spare) for spare in range(4))],
    ids=["files", *(f"threads{spare}" for spare in range(4))],
)
def test_a_client_that_cannot_be_made_is_made_later(
    session: Session, connect: Connect, harm: Callable[[], AbstractContextManager[None]]
) -> None:
    """Without file descriptors or threads calls fail at once.

    Later the client is replaced, and none is left over.
    """
    with Relay(session.hosts) as relay:
        victim = connect(relay.hosts, timeout=0.2, deadline=1.0)
        wait_until("the session is connected", lambda: victim.connected)
        threads = threading.active_count()
        with harm():
            relay.shut = True
            relay.drop()
            wait_until("a new client is refused", lambda: answer(victim) == "NoClientError")
            failures = victim.link._failures
            wait_until("a new client is tried again", lambda: victim.link._failures > failures)
        relay.shut = False
        wait_until("the session is connected", lambda: victim.connected)
        wait_until("the tree can be read", lambda: answer(victim) == "read")
        wait_until("the threads of the lost clients end", lambda: threading.active_count() <= threads)
        victim.close()


def test_closing_ends_those_who_wait(connect: Connect) -> None:
    """Closing a session that never connected returns, and so does a call that waits for it."""
    session = connect(NOBODY, deadline=60.0)
    raised: list[UnreachableError] = []

    def wait() -> None:
        try:
            read_tree(session)
        except UnreachableError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    session.close()
    thread.join(30)
    assert not thread.is_alive()
    assert len(raised) == 1


def test_closing_twice_is_harmless(session: Session) -> None:
    """A closed session can be closed again, and refuses calls."""
    session.close()
    session.close()
    with pytest.raises(UnreachableError):
        read_tree(session)


def test_an_oversized_request_ends_at_the_deadline(session: Session, connect: Connect) -> None:
    """A request that ZooKeeper answers by dropping the connection isn't repeated for ever."""
    clumsy = connect(deadline=1.0)
    path = clumsy.path("members/n1/status")
    with pytest.raises(UnreachableError):
        clumsy.repeat(lambda client: client.create_async(path, b"x" * 1_100_000))
    with PlainClient(session) as shell:
        assert shell.children(MEMBERS) == []


def test_an_unexpected_refusal_is_named(session: Session) -> None:
    """An unknown error of the server is raised as a refusal with its name, not as kazoo's error."""
    register(session, "n1", Live("m1", "b", "1", ""))
    path = session.path("members/n1/live/child")
    with pytest.raises(ServerRefusedError, match="NoChildrenForEphemerals"):
        session.repeat(lambda client: client.create_async(path, b""))
