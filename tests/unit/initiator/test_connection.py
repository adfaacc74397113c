"""Connections with portals that answer, refuse, or say nothing, by the real libiscsi."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.iscsi_target import FakeTarget, Hang, Reply
from lunmapd.core.base.lunmap import Authentication
from lunmapd.core.base.password import Secret
from lunmapd.core.probe.scsi import INQUIRY, TEST_UNIT_READY, Sense
from lunmapd.initiator import libiscsi
from lunmapd.initiator.connection import (
    CommandFailedError,
    ConnectionLostError,
    InitiatorAccess,
    LoginRefusedError,
    PortalConnection,
    PortalUnreachableError,
    StepTimeoutError,
)
from lunmapd.initiator.libiscsi import LibiscsiMissingError

TARGET = "iqn.2026-01.org.example:t"
WHO = InitiatorAccess("iqn.2026-01.org.example:probe", "probe", Secret("a long password"))
LIBISCSI = libiscsi.load()
_DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def opened(portal: str, limit: float = 10.0) -> Iterator[PortalConnection]:
    """Give a connection to a portal."""
    with PortalConnection(LIBISCSI, WHO, lambda: limit) as connection:
        connection.connect(portal)
        yield connection


def good(_lun: int, _cdb: bytes) -> Reply:
    """Answer any command with GOOD and some data."""
    return Reply(b"data")


def hang(_lun: int, _cdb: bytes) -> Reply:
    """Leave any command without an answer."""
    raise Hang


def test_discovery() -> None:
    """The targets of SendTargets come with their portals and tags, as many as there are."""
    listed = b"TargetName=a\0TargetAddress=10.0.0.1:3260,1\0TargetAddress=[fd00::1]:3260,2\0TargetName=b\0"
    with FakeTarget(good, listed) as target, opened(target.portal) as connection:
        connection.log_in()
        assert connection.discover() == {"a": {"10.0.0.1:3260,1", "[fd00::1]:3260,2"}, "b": frozenset()}
    assert b"SessionType=Discovery" in target.logins[0]


def test_a_discovery_without_targets() -> None:
    """An empty list is an answer."""
    with FakeTarget(good) as target, opened(target.portal) as connection:
        connection.log_in()
        assert connection.discover() == {}


def test_a_malformed_discovery() -> None:
    """An answer that breaks the protocol ends the connection with an error."""
    with FakeTarget(good, b"nonsense\0") as target, opened(target.portal) as connection:
        connection.log_in()
        with pytest.raises(ConnectionLostError, match="nonsense"):
            connection.discover()


def test_commands_have_data_of_their_length() -> None:
    """Zeros follow shorter data; a command without data returns none; the session ends by a logout."""
    with FakeTarget(good) as target:
        with opened(target.portal) as connection:
            connection.log_in(TARGET)
            assert connection.command(300, INQUIRY) == b"data" + bytes(251)
            assert connection.command(0, TEST_UNIT_READY) == b""
        assert [(lun, cdb[0]) for lun, cdb in target.commands] == [(300, 0x12), (0, 0x00)]
        assert target.logouts == 1
    assert f"TargetName={TARGET}".encode() in target.logins[0]


def test_a_command_fails_alone() -> None:
    """The error has status and sense, and the next command works."""
    replies = {
        0: Reply(status=2, sense=(6, 0x2900)),
        1: Reply(status=0x18),
        2: Reply(status=0x28),
        3: Reply(),
    }
    with (
        FakeTarget(lambda lun, _: replies[lun]) as target,
        opened(target.portal) as connection,
    ):
        connection.log_in(TARGET)
        for lun, (status, sense, text) in enumerate(
            (
                (2, Sense(6, 0x2900), "sense 6/29/00"),
                (0x18, None, "RESERVATION CONFLICT"),
                (0x28, None, "TASK SET FULL"),
            )
        ):
            with pytest.raises(CommandFailedError, match=text) as caught:
                connection.command(lun, TEST_UNIT_READY)
            assert (caught.value.status, caught.value.sense) == (status, sense)
        assert connection.command(3, TEST_UNIT_READY) == b""


def test_nobody_listens() -> None:
    """The reason is that of the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PortalUnreachableError, match=r"^connection refused$"), opened(f"127.0.0.1:{port}"):
        pass


def test_an_address_that_is_none() -> None:
    """A portal that libiscsi can't parse is unreachable."""
    with pytest.raises(PortalUnreachableError, match="Invalid target"), opened("[::1"):
        pass


def test_a_full_backlog() -> None:
    """A connection that nobody accepts is unreachable after the limit."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with (
            socket.create_connection(address),
            pytest.raises(PortalUnreachableError, match=r"no answer within 0\.2 s"),
            opened(f"127.0.0.1:{address[1]}", 0.2),
        ):
            pass


def test_a_portal_that_says_nothing() -> None:
    """A login without an answer ends after the limit, and so does a command."""
    with (
        FakeTarget(good, silent=True) as target,
        opened(target.portal, 0.2) as connection,
        pytest.raises(StepTimeoutError, match=r"no answer within 0\.2 s"),
    ):
        connection.log_in()
    with FakeTarget(hang) as target:
        with opened(target.portal, 1.0) as connection:
            connection.log_in(TARGET)
            with pytest.raises(StepTimeoutError):
                connection.command(0, INQUIRY)
        assert target.logouts == 0


def test_a_portal_that_hangs_up() -> None:
    """A connection that ends in the login is lost."""
    with socket.create_server(("127.0.0.1", 0)) as listener, opened(_portal(listener)) as connection:
        listener.accept()[0].close()
        with pytest.raises(ConnectionLostError, match="the portal closed the connection"):
            connection.log_in()


def _portal(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("status", "text"),
    [(0x0201, "authentication failure (status 0201)"), (0x0301, "service unavailable (status 0301)")],
)
def test_a_refused_login(status: int, text: str) -> None:
    """The error has the status of RFC 7143 in words and digits."""
    with (
        FakeTarget(good, login_status=status) as target,
        opened(target.portal) as connection,
        pytest.raises(LoginRefusedError) as caught,
    ):
        connection.log_in(TARGET)
    assert str(caught.value) == text


def test_credentials_are_those_that_the_target_requires() -> None:
    """Without authentication none are offered, with CHAP one way those of the initiator."""
    both = InitiatorAccess("i", "u", Secret("p"), "t", Secret("q"))
    assert both.reduced(Authentication.NONE) == InitiatorAccess("i")
    assert both.reduced(Authentication.CHAP) == InitiatorAccess("i", "u", Secret("p"))
    assert both.reduced(Authentication.MUTUAL_CHAP) == both
    assert "Secret(***)" in repr(both)


def test_a_login_without_credentials_offers_none() -> None:
    """A target that requires no authentication is not asked for CHAP."""
    with FakeTarget(good) as target:
        with PortalConnection(LIBISCSI, InitiatorAccess("i"), lambda: 5) as connection:
            connection.connect(target.portal)
            connection.log_in(TARGET)
        assert b"CHAP" not in target.logins[0]


def test_a_target_that_does_not_prove_itself() -> None:
    """With mutual CHAP, a target that skips its proof is not accepted."""
    mutual = InitiatorAccess("i", "u", Secret("p"), "t", Secret("q"))
    with FakeTarget(good) as target, PortalConnection(LIBISCSI, mutual, lambda: 5) as connection:
        connection.connect(target.portal)
        with pytest.raises(LoginRefusedError, match="did not return CHAP_N"):
            connection.log_in(TARGET)
    assert b"AuthMethod=CHAP,None\0" in target.logins[0]


def test_closing_leaves_no_descriptor() -> None:
    """Connections that ended in any way leave no descriptor behind, and can be closed twice."""
    before = len(list(_DESCRIPTORS.iterdir()))
    with FakeTarget(good) as target, FakeTarget(good, silent=True) as silent:
        for portal in (target.portal, silent.portal):
            connection = PortalConnection(LIBISCSI, WHO, lambda: 0.2)
            connection.connect(portal)
            connection.close()
            connection.close()
    assert len(list(_DESCRIPTORS.iterdir())) == before


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the package."""
    monkeypatch.setattr(libiscsi, "SONAME", "libnothing.so.7")
    with pytest.raises(LibiscsiMissingError, match=r"needs libnothing\.so\.7 .*apt install libiscsi7"):
        libiscsi.load()
