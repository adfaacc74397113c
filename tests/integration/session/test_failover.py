import logging
from collections.abc import Callable
from contextlib import suppress

import pytest

from lab import Ensemble, Server
from lab.wait import wait_until
from lunmapd.core.base.events import Event
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.commit.commit_errors import OutcomeUnknownError
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.watch import watch_head
from lunmapd.store.tree.znodes import read_revisions
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.debug_log import lines, values
from support.maps import lun, luns, with_lun
from support.plain_client import owns
from support.sessions import LIVE, STATUS, Connect, until_reachable

pytestmark = pytest.mark.integration


def commit_each(session: Session, numbers: range, harm: Callable[[], None]) -> None:
    """Commit one Lun after the other, with the fault before the third; repeat commits of unknown outcome."""
    known = read_tree(session)
    for step, number in enumerate(numbers):
        if step == 2:
            harm()
        while f"l{number}" not in known.lunmap.luns:
            with suppress(UnreachableError, OutcomeUnknownError):
                put(session, with_lun(known.lunmap, f"l{number}", lun(number)), known)
            with suppress(UnreachableError):
                known = refresh(session, known)


@pytest.mark.parametrize("harm", [Server.kill, Server.pause, Server.cut])
def test_the_loss_of_the_leader_loses_and_doubles_nothing(
    trio: Ensemble, connect: Connect, harm: Callable[[Server], None]
) -> None:
    """Commits go on while the leader is killed, stopped or cut off; each is in the history exactly once."""
    session = connect(trio.hosts, timeout=4.0, deadline=60.0)
    initialise(session)
    leader = trio.leader
    commit_each(session, range(6), lambda: harm(leader))
    found = read_tree(session)
    assert found.lunmap == luns(*range(6))
    assert found.revision == 6
    history = read_revisions(session, range(1, 7))
    assert [[change.path for change in entry.changes] for entry in history] == [
        [f"luns/l{n}"] for n in range(6)
    ]


def test_the_session_outlives_its_server(
    trio: Ensemble, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """A node whose server is killed keeps its session, its ephemeral and its watch on the next server.

    The debug log has the server, and the id by which ZooKeeper's own log names the session.
    """
    caplog.set_level(logging.DEBUG)
    session = connect(trio.servers[0].host + "," + trio.servers[1].host, timeout=20.0, deadline=60.0)
    initialise(session)
    register(session, "n1", LIVE)
    woken: list[None] = []
    watch_head(session, lambda _: woken.append(None))
    before = session.session_id
    known = read_tree(session)
    trio.servers[0].kill()
    trio.servers[0].start()
    trio.wait(3)
    trio.servers[1].kill()
    assert refresh(session, known) == known
    assert owns(session, "n1")
    assert session.session_id == before
    name, first = f"{before:#x}", trio.servers[0].host
    assert set(values(caplog.records, Event.SESSION_SUSPENDED, "session")) == {name}
    assert lines(caplog.records, Event.SESSION_RESUMED)[-1] == (
        f"ZooKeeper: session {name} resumed through {first}"
    )
    seen = len(woken)
    writer = connect(trio.servers[0].host)
    put(writer, luns(1))
    wait_until("the watch fires", lambda: len(woken) > seen)
    assert refresh(session, known).lunmap == luns(1)


def test_without_a_majority_every_call_ends(trio: Ensemble, connect: Connect) -> None:
    """With all servers gone every call raises UnreachableError; once they are back everything goes on."""
    patient, session = connect(trio.hosts), connect(trio.hosts, timeout=4.0, deadline=1.0)
    initialise(patient)
    put(patient, luns(1))
    known = until_reachable(lambda: read_tree(session))
    trio.kill()
    for call in (
        lambda: refresh(session, known),
        lambda: read_tree(session),
        lambda: put(session, luns(2), known),
        lambda: register(session, "n1", LIVE),
        lambda: write_status(session, "n1", STATUS),
        lambda: read_fleet(session),
    ):
        with pytest.raises(UnreachableError):
            call()
    trio.start()
    wait_until("the session is connected", lambda: session.connected)
    assert until_reachable(lambda: refresh(session, known)).lunmap == luns(1)


def test_a_silent_server_ends_every_call(trio: Ensemble, connect: Connect) -> None:
    """A server that is stopped with open connections is noticed by the deadline; nothing is half written."""
    only = trio.followers[0]
    session = connect(only.host, timeout=4.0, deadline=1.0)
    initialise(connect(trio.hosts))
    known = until_reachable(lambda: read_tree(session))
    only.pause()
    with pytest.raises(UnreachableError):
        refresh(session, known)
    with pytest.raises((UnreachableError, OutcomeUnknownError)):
        put(session, luns(1), known)
    only.resume()
    wait_until("the session is connected", lambda: session.connected)
    found = connect(trio.hosts)
    assert read_tree(found).lunmap in (Lunmap(), luns(1))
    assert not read_tree(found).has_edits
