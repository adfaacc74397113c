"""Sessions when servers restart, fall silent or move."""

import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab import Ensemble, Lab, Server
from lab.wait import wait_until
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.watch import watch_head
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.maps import luns
from support.sessions import Connect

pytestmark = pytest.mark.integration

MANY = 50
FOLLOWER = Path(__file__).with_name("follower.py")


def served_by(ensemble: Ensemble, session: Session) -> Server:
    """Return the server that a session is connected to."""
    sid = f"sid=0x{session.session_id:x}"
    (found,) = (server for server in ensemble.servers if sid in server.ask("cons"))
    return found


@pytest.mark.parametrize("harm", [Server.pause, Server.cut, Server.kill])
def test_a_session_moves_in_time(trio: Ensemble, connect: Connect, harm: Callable[[Server], None]) -> None:
    """When its server is stopped, cut off or killed, the session moves before it expires, with its watch."""
    session = connect(trio.hosts, timeout=15.0, deadline=60.0)
    initialise(session)
    woken: list[None] = []
    watch_head(session, lambda _: woken.append(None))
    known, before = read_tree(session), session.session_id
    harm(served_by(trio, session))
    assert refresh(session, known) == known
    assert session.session_id == before
    seen = len(woken)
    put(connect(trio.hosts, deadline=60.0), luns(1))
    wait_until("the watch fires", lambda: len(woken) > seen)
    assert refresh(session, known).lunmap == luns(1)


def test_many_sessions_survive_a_restart(lab: Lab, root: str) -> None:
    """After a restart of the servers all of fifty sessions come back as they were."""
    ensemble = lab.ensemble()
    with ExitStack() as stack:
        sessions = [stack.enter_context(Session(ensemble.hosts, root, timeout=20.0)) for _ in range(MANY)]
        wait_until("all sessions are connected", lambda: all(session.connected for session in sessions))
        before = [session.session_id for session in sessions]
        ensemble.kill()
        wait_until("no session is connected", lambda: not any(session.connected for session in sessions))
        ensemble.start()
        wait_until("all sessions are connected", lambda: all(session.connected for session in sessions))
        assert [session.session_id for session in sessions] == before
        for session in sessions:
            session.close(0)
    ensemble.kill()


@contextmanager
def following(names: Path, hosts: str, root: str) -> Iterator[Callable[[], tuple[int, int]]]:
    """Run the follower with its own hosts file.

    Give a function that waits for its next revision and session.
    """
    command = f'mount --bind "{names}" /etc/hosts && exec "$@"'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", command, "sh"]
    follower = [sys.executable, str(FOLLOWER), hosts, root]
    with subprocess.Popen([*argv, *follower], stdout=subprocess.PIPE, text=True) as process:
        stdout = process.stdout
        assert stdout is not None

        def line() -> tuple[int, int]:
            assert select.select([stdout], [], [], 120)[0], "the follower says nothing"
            revision, session = stdout.readline().split()
            return int(revision), int(session)

        try:
            yield line
        finally:
            process.kill()


def test_a_server_that_moves_is_followed(lab: Lab, root: str, tmp_path: Path) -> None:
    """When the server's name leads to another address, the session continues there.

    The old address is dead.
    """
    ensemble = lab.ensemble()
    (server,) = ensemble.servers
    old, new = server.place.address, str(lab.network.subnet[250])
    names = tmp_path / "hosts"
    names.write_text(f"{old} zk.test\n")
    with Session(ensemble.hosts, root) as writer:
        initialise(writer)
        with following(names, "zk.test:2181", root) as line:
            revision, session = line()
            assert revision == 0
            put(writer, luns(1))
            assert line() == (1, session)
            move(lab, server, old, new)
            names.write_text(f"{new} zk.test\n")
            with Session(f"{new}:2181", root) as mover:
                put(mover, luns(1, 2))
            assert line() == (2, session)
        writer.close(0)
    ensemble.kill()


def move(lab: Lab, server: Server, old: str, new: str) -> None:
    """Move a server to another address; the old one is dead then."""
    for change, address in (("del", old), ("add", new)):
        lab.sandbox.run(["ip", "-n", server.name, "addr", change, f"{address}/24", "dev", "data0"])
