"""The checks of portals: what a check finds, when a problem is reported, and when checks are made."""

import socket
import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

import pytest

from lab.wait import wait_until
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.lio_objects import NO_CREDENTIALS, ChapCredentials
from lunmapd.core.node.portals import PortalProblems
from lunmapd.service.daemon.network import listen_to_changes
from lunmapd.service.daemon.portal_watch import PortalWatch, Times, check_portals, watched_portals

PORTAL = "127.0.0.1:3260"
REFUSED = Failure(Reason.PORTAL_REFUSED, "refused")
QUICK = Times(interval=0.05, settle=0.0, confirm=0.0)
NEVER = Times(interval=600.0, settle=0.0, confirm=0.0)
_RESPONSE = bytes([0x23, 0x87]) + bytes(46)


class Network:
    """Portals with problems, which a test changes."""

    def __init__(self) -> None:
        self.problems: dict[str, Failure] = {}
        self.checked: list[AbstractSet[str]] = []
        self.glitches = 0

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> PortalProblems:  # noqa: ARG002
        """Return the problems of the portals, for `glitches` checks also one that goes away by itself."""
        self.checked.append(portals)
        self.glitches -= 1
        if self.glitches >= 0:
            return {PORTAL: REFUSED}
        return {portal: self.problems[portal] for portal in self.problems.keys() & portals}


@contextmanager
def watching(
    network: Network, notify: Callable[[], None] = lambda: None, times: Times = QUICK
) -> Iterator[PortalWatch]:
    """Check the portals of the network until the end of the context."""
    watch = PortalWatch(network.check, notify, times)
    watch.check(frozenset({PORTAL}), NO_CREDENTIALS)
    with watched_portals(watch):
        yield watch


def test_a_problem_is_reported_and_its_end_too() -> None:
    """The cycle is woken once for each change."""
    network, changes = Network(), list[None]()
    network.problems = {PORTAL: REFUSED}
    with watching(network, lambda: changes.append(None)) as watch:
        wait_until("the problem", lambda: (watch.problems(), len(changes)) == ({PORTAL: REFUSED}, 1))
        network.problems = {}
        wait_until("its end", lambda: (watch.problems(), len(changes)) == ({}, 2))


def test_a_check_that_can_start_no_thread_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    """Checks go on once the limit of threads allows it."""
    network, refusals = Network(), ["can't start new thread"]

    def check(portals: AbstractSet[str], credentials: ChapCredentials) -> PortalProblems:
        if refusals:
            raise RuntimeError(refusals.pop())
        return network.check(portals, credentials)

    network.problems = {PORTAL: REFUSED}
    watch = PortalWatch(check, lambda: None, QUICK)
    watch.check(frozenset({PORTAL}), NO_CREDENTIALS)
    with watched_portals(watch):
        wait_until("the problem", lambda: watch.problems() == {PORTAL: REFUSED})
    assert "the portals could not be checked: can't start new thread" in caplog.text


def test_a_problem_of_a_moment_is_not_reported() -> None:
    """A portal that a step makes anew, or a link that fails over, may fail one check."""
    network, changes = Network(), list[None]()
    network.glitches = 1
    with watching(network, lambda: changes.append(None)):
        wait_until("more checks", lambda: len(network.checked) > 3)
    assert changes == []


def test_other_portals_are_checked_at_once() -> None:
    """A new portal need not wait for the interval."""
    network = Network()
    with watching(network, times=NEVER) as watch:
        wait_until("the first check", lambda: network.checked)
        watch.check(frozenset({PORTAL}), NO_CREDENTIALS)
        watch.check(frozenset({PORTAL, "[::1]:3260"}), NO_CREDENTIALS)
        wait_until("another one", lambda: network.checked[1:] == [{PORTAL, "[::1]:3260"}])


def test_a_check_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the system is logged, and the next check is made."""
    calls = list[None]()

    def check(*_: object, **__: object) -> PortalProblems:
        calls.append(None)
        if len(calls) == 1:
            raise OSError("no buffer space available")
        return {}

    watch = PortalWatch(check, lambda: None, QUICK)
    with watched_portals(watch):
        wait_until("another check", lambda: len(calls) > 1)
    assert "no buffer space available" in caplog.text


def test_changes_of_links_are_heard() -> None:
    """The kernel lets a process without privileges listen to them."""
    with listen_to_changes() as changes:
        assert changes.getsockname()[1] != 0


def answering(answer: Callable[[socket.socket], None] | None) -> Iterator[str]:
    """Yield a portal; `answer` is called with its first connection, which is not accepted without it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if answer is not None:
            threading.Thread(target=lambda: answer(server.accept()[0]), daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def respond(connection: socket.socket) -> None:
    """Answer a login request with a login response."""
    connection.recv(4096)
    connection.sendall(_RESPONSE)
    connection.recv(4096)
    connection.close()


def problem_of(portal: str) -> str:
    """Return the message of the problem of a portal, "" without one."""
    problem = check_portals(frozenset({portal}), NO_CREDENTIALS, 0.5).get(portal)
    assert problem is None or problem.reason == Reason.PORTAL_REFUSED
    return "" if problem is None else problem.message


def test_a_portal_that_answers_has_no_problem() -> None:
    """Any login response will do, also a refusal."""
    for portal in answering(respond):
        assert problem_of(portal) == ""


def test_a_portal_without_a_listener_is_refused() -> None:
    """The message names the portal and the error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        portal = f"127.0.0.1:{server.getsockname()[1]}"
    assert problem_of(portal) == f"a login to {portal} from the node itself failed: Connection refused"


def test_a_connection_is_no_answer() -> None:
    """The kernel accepts connections for a login thread that waits for a device."""
    for portal in answering(None):
        assert "answers no login within 0.5 s" in problem_of(portal)


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 400 Bad Request\r\n" + bytes(100)])
def test_another_protocol_is_no_answer(text: bytes) -> None:
    """A program that is no iSCSI target may have the port."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.close()

    for portal in answering(answer):
        assert "ends the connection without an answer" in problem_of(portal)


def test_a_wildcard_is_tried_on_the_loopback_address() -> None:
    """A portal on all addresses has no address of its own."""
    for portal in answering(respond):
        assert problem_of(f"0.0.0.0:{portal.rpartition(':')[2]}") == ""


def test_an_address_that_nobody_has_is_missing() -> None:
    """No login is tried."""
    (problem,) = check_portals(frozenset({"192.0.2.77:3260"}), NO_CREDENTIALS).values()
    assert problem.reason == Reason.PORTAL_ADDRESS_MISSING
