"""TLS with a real ZooKeeper: trusted certificates, and the messages about others."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from lab import wait_for
from lab.wait import wait_until
from lunmapd.store.session.access_errors import TlsFailedError
from lunmapd.store.session.credentials import ANONYMOUS, Credentials, Tls
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise
from support.cluster import Ctl
from support.commits import put
from support.maps import luns
from support.pki import Authority
from support.secure import Secure

pytestmark = pytest.mark.integration

Dial = Callable[..., Session]


@pytest.fixture
def dial(servers: Secure, root: str) -> Iterator[Dial]:
    """Give what opens sessions, by default over TLS, on the test's chroot, closed at its end."""
    with ExitStack() as stack:

        def dialled(
            credentials: Credentials, hosts: str = servers.tls_hosts, deadline: float = 5.0
        ) -> Session:
            session = Session(hosts, root, timeout=4.0, deadline=deadline, credentials=credentials)
            return stack.enter_context(session)

        yield dialled


def failure(session: Session) -> str:
    """Return what TLS fails with, once a server was there in time to be asked."""

    def trouble() -> UnreachableError:
        with pytest.raises(UnreachableError) as caught:
            read_tree(session)
        return caught.value

    return str(wait_for("what TLS fails with", trouble, lambda error: isinstance(error, TlsFailedError)))


def tls_of(credentials: Credentials) -> Tls:
    """Return the TLS files of credentials."""
    assert credentials.tls is not None
    return credentials.tls


def test_a_session_over_tls_does_all(servers: Secure, dial: Dial) -> None:
    """A tree is made, and a commit of many objects written and read with hundreds of requests in flight."""
    session = dial(servers.tls(), deadline=30.0)
    initialise(session)
    lunmap = luns(*range(600))
    put(session, lunmap)
    assert read_tree(session).lunmap == lunmap


def test_a_key_may_be_encrypted(servers: Secure, dial: Dial, tmp_path: Path) -> None:
    """A key with a password is opened with the one in the file."""
    pair = servers.authority.issue("locked", password="open sesame")
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("open sesame\n")
    tls = Tls(servers.authority.ca, pair.certificate, pair.key, password)
    session = dial(Credentials(tls), deadline=30.0)
    initialise(session)
    assert read_tree(session).revision == 0


def test_an_unknown_ca_is_named(servers: Secure, dial: Dial, tmp_path: Path) -> None:
    """A server whose certificate another CA signed gets no request, and the error gives the reason."""
    stranger = Authority(tmp_path / "other")
    tls = replace(tls_of(servers.tls()), ca=stranger.ca)
    text = failure(dial(Credentials(tls)))
    assert "no TLS with ZooKeeper" in text
    assert f"{servers.tls_hosts}: its certificate is not valid: " in text


def test_a_certificate_for_another_address_is_refused(servers: Secure, dial: Dial) -> None:
    """A certificate must name the server as the settings do, unless they turn the check off."""
    hosts = f"[{servers.ensemble.servers[0].place.address6}]:2281"
    credentials = servers.tls()
    assert "certificate is not valid for" in failure(dial(credentials, hosts))
    careless = Credentials(replace(tls_of(credentials), verify_hostname=False))
    initialise(dial(careless, hosts, deadline=30.0))


def test_a_client_without_a_certificate_is_told_so(servers: Secure, dial: Dial) -> None:
    """A server that requires a certificate refuses us after the handshake; the error still reports it."""
    assert "it requires a client certificate" in failure(dial(servers.tls(None)))


def test_a_refused_certificate_is_said(servers: Secure, dial: Dial, tmp_path: Path) -> None:
    """A certificate of ours that the server does not trust is named as the cause."""
    stranger = Authority(tmp_path / "other")
    assert "it refuses our certificate" in failure(dial(servers.tls("stranger", stranger)))


def test_a_port_without_tls_is_named(servers: Secure, dial: Dial) -> None:
    """TLS at a plain port fails with a reason, and so does plain text at a port with TLS."""
    assert "as a port without TLS does" in failure(dial(servers.tls(), servers.ensemble.hosts))
    with pytest.raises(UnreachableError, match="it accepted the connection but gave no session"):
        read_tree(dial(ANONYMOUS))


def test_a_renewed_certificate_is_taken_up(servers: Secure, dial: Dial, tmp_path: Path) -> None:
    """After the files have been replaced by good ones the session connects by itself."""
    expired = servers.authority.issue("late", days=1)
    mine = Tls(servers.authority.ca, tmp_path / "mine.pem", tmp_path / "mine.key")
    assert mine.certificate is not None
    assert mine.key is not None
    shutil.copy(expired.certificate, mine.certificate)
    shutil.copy(expired.key, mine.key)
    session = dial(Credentials(mine))
    assert "it refuses our certificate" in failure(session)
    fresh = servers.authority.issue("fresh")
    shutil.copy(fresh.certificate, mine.certificate)
    shutil.copy(fresh.key, mine.key)
    wait_until("the session is connected", lambda: session.connected)
    initialise(session)


def test_unusable_files_are_named(servers: Secure, dial: Dial) -> None:
    """A certificate that vanishes while the program runs is named; nothing is sent without it."""
    credentials = servers.tls("vanishing")
    path = tls_of(credentials).certificate
    assert path is not None
    path.unlink()
    assert f"can't use {path}: no such file or directory" in failure(dial(credentials))


def test_the_command_line_uses_tls(servers: Secure, root: str, tmp_path: Path) -> None:
    """The command line takes the files from options, or from the settings file."""
    tls = tls_of(servers.tls())
    options = ("--tls-ca", str(tls.ca), "--tls-certificate", str(tls.certificate), "--tls-key", str(tls.key))
    Ctl(servers.tls_hosts, root, options)("init")
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        f"zookeeper:\n  hosts: ['{servers.tls_hosts}']\n  chroot: {root}\n"
        f"  tls: {{ca: {tls.ca}, certificate: {tls.certificate}, key: {tls.key}}}\n"
    )
    Ctl(None, None, ("-c", str(settings)))("get")
