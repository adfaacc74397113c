"""Sessions with credentials: one server with TLS and SASL for all tests, which none harms."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab import Lab
from lunmapd.client import Credentials
from lunmapd.store.session.credentials import ANONYMOUS
from lunmapd.store.session.session import Session
from support.secure import Open, Secure, secure


@pytest.fixture(scope="session")
def servers(lab: Lab) -> Iterator[Secure]:
    """Give a server that knows users and certificates."""
    made = secure(lab)
    yield made
    made.ensemble.kill()


@pytest.fixture
def connect_as(servers: Secure, root: str) -> Iterator[Open]:
    """Give a function that opens sessions as a user, with `x509:` and a name, or anonymously."""
    with ExitStack() as stack:

        def opened(who: str = "") -> Session:
            scheme, _, name = who.rpartition(":")
            hosts, credentials = servers.ensemble.hosts, ANONYMOUS
            if scheme:
                hosts, credentials = servers.tls_hosts, servers.tls(name)
            elif name:
                credentials = Credentials(sasl=servers.login(name))
            return stack.enter_context(Session(hosts, root, deadline=20.0, credentials=credentials))

        yield opened
