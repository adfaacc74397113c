"""kazoo's client: made with our settings, and stopped without waiting for it."""

import contextlib
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import EXCEPTIONS, ZookeeperError
from kazoo.retry import KazooRetry

from lunmapd.store.session.credentials import Credentials, digest_auth, sasl_options
from lunmapd.store.session.handler import WatchedHandler


class _LoginRequiredError(ZookeeperError):
    """The server answers nobody who has not logged in (KeeperException.Code.SESSIONCLOSEDREQUIRESASLAUTH)."""

    code = -124


# kazoo ends its connection thread at a code that it doesn't know, and before 2.10 it didn't know this one.
LoginRequiredError = EXCEPTIONS.setdefault(_LoginRequiredError.code, _LoginRequiredError)


def make_client(hosts: str, timeout: float, handler: WatchedHandler, credentials: Credentials) -> KazooClient:
    """Make a client; the passwords are read now. Raises CredentialsError, SaslMissingError."""
    sasl, digest = credentials.sasl, credentials.digest
    return KazooClient(
        hosts=hosts,
        timeout=timeout,
        handler=handler,
        # Between two rounds of all servers. kazoo's own default begins with 0.1 s for all clients, and ends with an hour.
        connection_retry=KazooRetry(
            max_tries=-1, delay=timeout / 20, backoff=2, max_jitter=0.8, max_delay=3.0
        ),
        sasl_options=None if sasl is None else sasl_options(sasl),
        auth_data=None if digest is None else [("digest", digest_auth(digest))],
    )


def discard(client: KazooClient) -> threading.Thread:
    """Stop a client in a thread of its own, since kazoo may wait for longer than anyone would."""
    thread = threading.Thread(target=_stop, args=(client,), name="zookeeper-close", daemon=True)
    thread.start()
    return thread


def _stop(client: KazooClient) -> None:
    # kazoo stumbles over a client that was started by half, or is stopped already, and raises anything.
    for act in (client.stop, client.close):
        with contextlib.suppress(Exception):
            act()
