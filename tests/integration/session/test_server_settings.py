"""Settings of ZooKeeper's servers with limits, as docs/zookeeper.md states them."""

from collections.abc import Iterator

import pytest

from lab import Ensemble, Lab
from lab.ensemble import write_config
from lab.wait import wait_until
from lunmapd.client import Client
from lunmapd.store.session.access_errors import TlsFailedError
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.maps import luns
from support.secure import Secure, secure
from support.sessions import LIVE, Connect, until_reachable

pytestmark = pytest.mark.integration


@pytest.fixture
def unified(lab: Lab) -> Iterator[Secure]:
    """Give a server whose plain port takes TLS too, and which asks for client certificates."""
    made = secure(lab, config={"client.portUnification": "true", "ssl.clientAuth": "need"})
    yield made
    made.ensemble.kill()


def test_a_unified_port_gives_sessions_in_plain_text(unified: Secure, root: str) -> None:
    """Though certificates are asked for: a client without TLS is anonymous and changes an open tree."""
    hosts = unified.ensemble.hosts
    with Session(hosts, root, deadline=20.0) as plain:
        assert plain.whoami() == ()
        initialise(plain)
    with Session(hosts, root, deadline=20.0, credentials=unified.tls()) as safe:
        assert [str(one) for one in safe.whoami()] == ["x509:CN=client"]
        assert read_tree(safe).revision == 0
    with (
        Session(hosts, root, timeout=4.0, deadline=5.0, credentials=unified.tls(None)) as unknown,
        pytest.raises(TlsFailedError, match="requires a client certificate"),
    ):
        read_tree(unknown)


@pytest.fixture
def observed(lab: Lab) -> Iterator[Ensemble]:
    """Give two voting servers and an observer, which become read-only without a majority."""
    made = lab.ensemble(servers=3, jvm=["-Dreadonlymode.enabled=true"], start=False)
    observer = {"server.3": f"{made.servers[2].place.address}:2888:3888:observer"}
    for server in made.servers:
        kind = {"peerType": "observer"} if server.number == 3 else {}
        write_config(server, made.servers, {**observer, **kind})
    made.start()
    yield made
    made.kill()


def test_an_observer_serves_and_no_server_is_read_only_for_us(observed: Ensemble, connect: Connect) -> None:
    """Commits go through an observer. Without a majority it gives no session, and then all goes on."""
    first, second, third = observed.servers
    wait_until("the observer has found the voters", lambda: third.mode() == "observer")
    session = connect(third.host, timeout=30.0, deadline=2.0)
    until_reachable(lambda: Client(session).initialise())
    put(session, luns(1))
    register(session, "n1", LIVE)
    known = read_tree(session)
    voters = [server for server in (first, second) if server.mode() == "follower"]
    voters[0].kill()
    left = first if voters[0] is second else second
    wait_until("the voter left is read-only", lambda: left.mode() == "read-only")
    through_both = connect(f"{left.host},{third.host}", timeout=4.0, deadline=2.0)
    for one in (session, through_both):
        with pytest.raises(UnreachableError):
            refresh(one, known)
    voters[0].start()
    assert until_reachable(lambda: refresh(session, known)).lunmap == luns(1)
    assert until_reachable(lambda: read_tree(through_both)).lunmap == luns(1)
    put(session, luns(1, 2), known)
    assert read_fleet(session)["n1"].live is not None
