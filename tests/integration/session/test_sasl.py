"""Logins at a real ZooKeeper: the principals of accepted ones, and the effect of refused ones."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import Lab
from lab.wait import wait_until
from lunmapd.store.session.access_errors import NotAuthenticatedError
from lunmapd.store.session.credentials import ANONYMOUS, Credentials, PasswordLogin
from lunmapd.store.session.errors import NoAccessError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.watch import watch_head
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.maps import luns
from support.relay import Relay
from support.secure import USERS, Secure, secure

pytestmark = pytest.mark.integration


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give what closes the test's sessions."""
    with ExitStack() as opened:
        yield opened


def open_session(stack: ExitStack, hosts: str, root: str, credentials: Credentials) -> Session:
    """Open a session with short times."""
    return stack.enter_context(Session(hosts, root, timeout=2.0, deadline=10.0, credentials=credentials))


def let_in(session: Session) -> bool:
    """Return whether a session gets at the tree, which is at revision 0."""
    try:
        return read_tree(session).revision == 0
    except NoAccessError:
        return False


def wrong(servers: Secure, tmp_path: Path) -> PasswordLogin:
    """Make a login with a wrong password, in a file of its own."""
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("mistaken\n")
    return PasswordLogin(servers.login("n1").user, path)


def test_a_login_is_accepted(servers: Secure, root: str, stack: ExitStack) -> None:
    """With the right password, over TLS or not, everything works."""
    over_tls = Credentials(servers.tls().tls, sasl=servers.login("admin"))
    session = open_session(stack, servers.tls_hosts, root, over_tls)
    initialise(session)
    put(session, luns(1))
    plain = open_session(stack, servers.ensemble.hosts, root, Credentials(sasl=servers.login("n1")))
    assert read_tree(plain).lunmap == luns(1)


def test_a_wrong_password_is_said_at_once(
    servers: Secure, root: str, stack: ExitStack, tmp_path: Path
) -> None:
    """A refused login ends each call with advice, long before its deadline."""
    session = open_session(stack, servers.ensemble.hosts, root, Credentials(sasl=wrong(servers, tmp_path)))
    for _ in range(3):
        with pytest.raises(NotAuthenticatedError, match=r"does not accept the login of zookeeper\.sasl"):
            read_tree(session)


def test_a_refused_login_is_tried_at_a_slow_pace(
    servers: Secure, root: str, stack: ExitStack, tmp_path: Path
) -> None:
    """Servers get few connections during failed logins.

    A corrected file lets the session in, with its watch.
    """
    login = wrong(servers, tmp_path)
    asked: list[float] = []
    woken: list[None] = []
    with Relay(servers.ensemble.hosts, asked) as relay:
        session = open_session(stack, relay.hosts, root, Credentials(sasl=login))
        watch_head(session, lambda _: woken.append(None))
        wait_until("four attempts to connect", lambda: len(asked) == 4)
        assert asked[3] - asked[0] > 2.0
        login.password.write_text(USERS["n1"] + "\n")
        other = open_session(stack, servers.ensemble.hosts, root, ANONYMOUS)
        initialise(other)
        wait_until("the session can read the tree", lambda: let_in(session))
        known = read_tree(session)
        seen = len(woken)
        put(other, luns(1))
        wait_until("the watch fires", lambda: len(woken) > seen)
        assert refresh(session, known).lunmap == luns(1)
        session.close()


def test_a_password_file_that_vanishes_is_said(
    servers: Secure, root: str, stack: ExitStack, tmp_path: Path
) -> None:
    """A session with a refused login and a missing file reports it, and recovers when the file is back."""
    login = wrong(servers, tmp_path)
    session = open_session(stack, servers.ensemble.hosts, root, Credentials(sasl=login))
    login.password.unlink()
    seen: list[str] = []

    def named() -> bool:
        try:
            read_tree(session)
        except NoAccessError as error:
            seen.append(str(error))
        return any("no such file" in text for text in seen)

    wait_until("the error is named", named)
    login.password.touch(mode=0o600)
    login.password.write_text(USERS["n1"] + "\n")
    initialise(open_session(stack, servers.ensemble.hosts, root, ANONYMOUS))
    wait_until("the session can read the tree", lambda: let_in(session))


def test_a_login_corrected_at_the_server_is_taken_up(lab: Lab, root: str, stack: ExitStack) -> None:
    """When the servers learn the password, the waiting session goes on by itself."""
    found = secure(lab)
    session = open_session(
        stack, found.ensemble.hosts, root, Credentials(sasl=found.login("n1", "the new one"))
    )
    with pytest.raises(NotAuthenticatedError):
        initialise(session)
    found.ensemble.kill()
    found.set_users(USERS | {"n1": "the new one"})
    found.ensemble.start()
    initialise(open_session(stack, found.ensemble.hosts, root, ANONYMOUS))
    wait_until("the session can read the tree", lambda: let_in(session))
    session.close()
    found.ensemble.kill()


def test_a_server_that_wants_a_login_says_so(lab: Lab, root: str, stack: ExitStack) -> None:
    """A client without a login is told to set one by a server that requires it, and connects rarely."""
    asked: list[float] = []
    found = secure(lab, config={"enforce.auth.enabled": "true", "enforce.auth.schemes": "sasl"})
    with Relay(found.ensemble.hosts, asked) as relay:
        session = open_session(stack, relay.hosts, root, ANONYMOUS)
        with pytest.raises(NotAuthenticatedError, match=r"requires a login.*set zookeeper\.sasl"):
            initialise(session)
        session.close()
    initialise(open_session(stack, found.ensemble.hosts, root, Credentials(sasl=found.login("n1"))))
    found.ensemble.kill()


def test_no_password_is_ever_logged(
    servers: Secure, root: str, stack: ExitStack, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With every log level that the daemon can enable, no line holds a password, right or wrong."""
    caplog.set_level(logging.WARNING)
    both = Credentials(sasl=servers.login("admin"), digest=servers.login("n2"))
    initialise(open_session(stack, servers.ensemble.hosts, root, both))
    session = open_session(stack, servers.ensemble.hosts, root, Credentials(sasl=wrong(servers, tmp_path)))
    with pytest.raises(NotAuthenticatedError) as caught:
        read_tree(session)
    text = caplog.text + str(caught.value) + repr(both)
    assert not any(secret in text for secret in (*USERS.values(), "mistaken"))
