"""The KazooClient: created with lunmapd's settings, and stopped without waiting for it."""

import contextlib
import logging
import threading

from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

from lunmapd.store.session.credentials import Credentials, digest_auth, sasl_options
from lunmapd.store.session.handler import WatchedHandler

_kazoo_log = logging.getLogger("kazoo.client")
_SAFE = ("Received EVENT",)


def _is_safe(record: logging.LogRecord) -> bool:
    """Return whether a record of kazoo may be logged, also at level debug and in any program.

    At that level kazoo logs each request: a read of a large tree makes thousands. One of them holds the
    password of a `digest` login, another one that of the session.
    """
    return record.levelno >= logging.INFO or str(record.msg).startswith(_SAFE)


def make_client(hosts: str, timeout: float, handler: WatchedHandler, credentials: Credentials) -> KazooClient:
    """Create a client that is not started; the password files are read now.

    Raises CredentialsError, SaslMissingError.
    """
    sasl, digest = credentials.sasl, credentials.digest
    _kazoo_log.addFilter(_is_safe)
    return KazooClient(
        hosts=hosts,
        timeout=timeout,
        handler=handler,
        # Between two rounds over all servers. kazoo's default starts at 0.1 s and grows to 1 h.
        connection_retry=KazooRetry(
            max_tries=-1, delay=timeout / 20, backoff=2, max_jitter=0.8, max_delay=3.0
        ),
        sasl_options=None if sasl is None else sasl_options(sasl),
        auth_data=None if digest is None else [("digest", digest_auth(digest))],
    )


def discard(client: KazooClient) -> threading.Thread:
    """Stop a client in a thread of its own, and return the thread. `KazooClient.stop` can block for long."""
    thread = threading.Thread(target=_stop, args=(client,), name="zookeeper-close", daemon=True)
    thread.start()
    return thread


def _stop(client: KazooClient) -> None:
    # kazoo raises various exceptions for a client that is stopped already or whose start failed half-way.
    for act in (client.stop, client.close):
        with contextlib.suppress(Exception):
            act()
