"""The connection to the servers: one supervised KazooClient.

kazoo queues requests while it has no connection, and its connection thread ends for good at an unexpected
error or a refused login. So a client is handed out only while it is connected, and a dead client is replaced.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.protocol.states import KazooState, KeeperState

from lunmapd.core.base.events import Event
from lunmapd.store.session.access_errors import NotAuthenticatedError, TlsFailedError
from lunmapd.store.session.client import discard, make_client
from lunmapd.store.session.credentials import Credentials
from lunmapd.store.session.dial import Dialler
from lunmapd.store.session.errors import NoClientError, StoreError, UnreachableError
from lunmapd.store.session.handler import WatchedHandler
from lunmapd.store.session.pauses import rebuild_pause
from lunmapd.store.session.session_log import SessionLog
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

_CHECK_EVERY = 1.0
_REBUILD_AFTER = 12  # session timeouts without a connection


class Link:
    """Keeps a client connected to `hosts`.

    `timeout` is the session timeout, `deadline` is for messages only; both are in seconds.
    """

    def __init__(self, hosts: str, timeout: float, deadline: float, credentials: Credentials) -> None:
        self._hosts = hosts
        self._timeout = timeout
        self._deadline = deadline
        self._credentials = credentials
        self._news = threading.Condition()
        self._up = False
        self._closing = threading.Event()
        self._down_since = time.monotonic()
        self._rebuild_at = 0.0
        self._failures = 0
        self._started = False
        self._refusal: StoreError | None = None
        self._end: threading.Thread | None = None
        self._subscribers: list[Callable[[], None]] = []
        self._session_log = SessionLog()
        self.current, self._handler = self._build()
        self._supervisor = threading.Thread(target=self._supervise, name="zookeeper-supervisor", daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self.current.start_async()
        self._started = True
        self._supervisor.start()

    def close(self, timeout: float) -> None:
        """End the session; wait at most `timeout` seconds for it."""
        until = time.monotonic() + timeout
        self._closing.set()
        with self._news:
            self._news.notify_all()
        if self._supervisor.is_alive():
            self._supervisor.join(max(0.0, until - time.monotonic()))
        self._end = self._end or discard(self.current)
        self._end.join(max(0.0, until - time.monotonic()))

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of the connection.

        Another thread calls it: it must not block or raise.
        """
        self._subscribers.append(callback)

    @property
    def server(self) -> str:
        """The server of the present or last session, as `host:port`; "" before the first."""
        return self._handler.dialler.server

    def pause(self, seconds: float) -> None:
        """Wait for `seconds`, but not longer than until `close`."""
        self._closing.wait(seconds)

    def client(self, until: float) -> KazooClient:
        """Return a connected client; wait for one until the time `until` of the monotonic clock (seconds).

        Raises UnreachableError or TlsFailedError at `until`, and NotAuthenticatedError, CredentialsError,
        SaslMissingError or NoClientError at once.
        """
        with self._news:
            self._news.wait_for(self._decided, max(0.0, until - time.monotonic()))
            up, refusal = self._up, self._refusal
        if refusal is not None and not up:
            raise refusal.with_traceback(None)
        if self._closing.is_set() or not up or time.monotonic() >= until:
            raise self._unreachable()
        return self.current

    def answered(self) -> None:
        """Record that a server answered a request: earlier failures are over."""
        self._failures, self._refusal = 0, None

    def unanswered(self, sent: float) -> None:
        """Record that a request of `sent` (monotonic clock) got no answer in time.

        If the server sent nothing else since then, the next request goes to another server.
        """
        self._handler.dialler.unanswered(sent)

    def not_authenticated(self) -> NotAuthenticatedError:
        """Return the error for servers that do not accept this client's login."""
        login = "sasl" if self._credentials.sasl else "digest" if self._credentials.digest else ""
        return NotAuthenticatedError(self._hosts, login)

    def _decided(self) -> bool:
        return self._up or self._refusal is not None or self._closing.is_set()

    def _unreachable(self) -> UnreachableError:
        problems = self._handler.dialler.problems
        reasons = {server: problem.reason for server, problem in problems.items()}
        if any(problem.tls for problem in problems.values()):
            return TlsFailedError(self._hosts, self._deadline, reasons)
        detail = "; ".join(f"{server}: {reason}" for server, reason in reasons.items())
        return UnreachableError(self._hosts, self._deadline, f" ({detail})" if detail else "")

    def _build(self) -> tuple[KazooClient, WatchedHandler]:
        dialler = Dialler(self._hosts, self._timeout, self._credentials.tls, self._closing)
        handler = WatchedHandler(dialler)
        client = make_client(self._hosts, self._timeout, handler, self._credentials)
        client.add_listener(lambda state: self._changed(client, state))
        return client, handler

    def _changed(self, client: KazooClient, state: str) -> None:
        if client is not self.current or self._closing.is_set():
            return
        if state == KazooState.CONNECTED:
            self._handler.dialler.connected()
        else:
            self._down_since = time.monotonic()
        self._session_log.changed(client, state, self._handler.dialler.server)
        # kazoo reports CONNECTED before the login.
        refused = client.client_state == KeeperState.AUTH_FAILED
        self._set_state(
            up=state == KazooState.CONNECTED, refusal=self.not_authenticated() if refused else self._refusal
        )
        for callback in self._subscribers:
            callback()

    def _set_state(self, *, up: bool, refusal: StoreError | None) -> None:
        with self._news:
            self._up, self._refusal = up, refusal
            self._news.notify_all()

    def _supervise(self) -> None:
        clock = _clock()
        while not self._closing.wait(_CHECK_EVERY):
            before, clock = clock, _clock()
            if abs(clock - before) > _CHECK_EVERY and self.current.connected:
                # kazoo before 2.10 times its pings by the wall clock; a request makes it start over.
                self.current.exists_async("/")
            problem = self._problem()
            if problem and time.monotonic() >= self._rebuild_at:
                self._rebuild(problem)

    def _problem(self) -> str:
        """Return why the client must be replaced, "" if it need not."""
        if not self._started:
            return "the last one could not be started"
        if not self._handler.alive():
            return "a thread of kazoo's has ended"
        down = 0.0 if self.current.connected else time.monotonic() - self._down_since
        return f"no connection for {down:.0f} s" if down >= _REBUILD_AFTER * self._timeout else ""

    def _rebuild(self, problem: str) -> None:
        pause = rebuild_pause(self._failures, self._timeout, random.random())  # noqa: S311 - no secret
        self._rebuild_at = time.monotonic() + pause
        self._failures += 1
        trace(_log, Event.CLIENT_REBUILT, reason=problem, seconds=pause)
        try:
            self._replace()
        except StoreError as error:
            self._set_state(up=False, refusal=error)
        except (KazooException, OSError, RuntimeError) as error:
            # For example when no file or thread is left: nothing else would retry.
            self._set_state(up=False, refusal=NoClientError(self._hosts, error))

    def _replace(self) -> None:
        """Put a new client in place of the current one; a client that can't be started counts as dead."""
        client, handler = self._build()
        discard(self.current)
        self._set_state(up=False, refusal=None)
        self._down_since, self._started = time.monotonic(), False
        self.current, self._handler = client, handler
        client.start_async()
        self._started = True


def _clock() -> float:
    """Return the difference of the wall clock and the monotonic clock.

    It changes only when the wall clock is set.
    """
    return time.time() - time.monotonic()
