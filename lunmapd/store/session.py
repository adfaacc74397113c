"""The session with ZooKeeper: one supervised client, and a deadline for every call.

kazoo queues requests while it has no connection, its connection thread ends for good at an unexpected error, and
its waits have no end. So requests are only handed over while connected, every wait is bounded, and the client is
replaced when it is dead.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
    ZookeeperError,
)
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, KeeperState

from lunmapd.store.access_errors import NotAuthenticatedError, TlsFailedError
from lunmapd.store.client import LoginRequiredError, discard, make_client
from lunmapd.store.credentials import ANONYMOUS, Credentials
from lunmapd.store.dial import Dialler
from lunmapd.store.errors import LostError, RefusedError, StoreError, UnreachableError
from lunmapd.store.handler import WatchedHandler
from lunmapd.store.pace import rebuild_pause

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Answer(Protocol[T_co]):
    """What kazoo's asynchronous calls return (kazoo.interfaces.IAsyncResult)."""

    def get(self, block: bool = ..., timeout: float | None = ...) -> T_co:  # noqa: FBT001 - kazoo's signature
        """Wait for the answer; raises what it says, or KazooTimeoutError."""


Ask = Callable[[KazooClient], Answer[T]]

DEFAULT_CHROOT = "/lunmap"
WINDOW = 256
_CHECK_EVERY = 1.0
_REBUILD_AFTER = 12  # session timeouts without a connection
# RuntimeError is what kazoo hands out when an answer doesn't belong to the oldest request.
_LOST = (
    ConnectionLoss,
    SessionExpiredError,
    SessionMovedError,
    OperationTimeoutError,
    KazooTimeoutError,
    RuntimeError,
)
_EXPECTED = (NoNodeError, NodeExistsError, BadVersionError)
_STRANGER = (AuthFailedError, LoginRequiredError)


class Session:
    """A session on `hosts` (`host:port,...`) for the tree at `chroot`. Times are in seconds.

    Every call raises UnreachableError after `deadline` (TlsFailedError if that is why), NotAuthenticatedError at once,
    RefusedError for an unexpected answer, and lets pass kazoo's NoNodeError, NodeExistsError and BadVersionError.
    Close it, or use it as a context manager.
    """

    def __init__(
        self,
        hosts: str,
        chroot: str = DEFAULT_CHROOT,
        *,
        timeout: float = 10.0,
        deadline: float = 10.0,
        credentials: Credentials = ANONYMOUS,
    ) -> None:
        self.hosts = hosts
        self.root = "/" + chroot.strip("/")
        self.deadline = deadline
        self._timeout = timeout
        self._credentials = credentials
        self._news = threading.Condition()
        self._up = False
        self._closing = threading.Event()
        self._down_since = time.monotonic()
        self._rebuild_at = 0.0
        self._failures = 0
        self._refusal: StoreError | None = None
        self._end: threading.Thread | None = None
        self._subscribers: list[Callable[[], None]] = []
        self._client, self._handler = self._build()
        self._supervisor = threading.Thread(target=self._supervise, name="zookeeper-supervisor", daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._client.start_async()
        self._supervisor.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout: float = 5.0) -> None:
        """End the session and its ephemerals; gives up waiting after `timeout`."""
        until = time.monotonic() + timeout
        self._closing.set()
        with self._news:
            self._news.notify_all()
        if self._supervisor.is_alive():
            self._supervisor.join(max(0.0, until - time.monotonic()))
        self._end = self._end or discard(self._client)
        self._end.join(max(0.0, until - time.monotonic()))

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now."""
        return self._client.connected

    @property
    def session_id(self) -> int | None:
        """Id of the session, the owner of its ephemerals; None without a connection."""
        found = self._client.client_id
        return None if found is None else found[0]

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of the connection, from a foreign thread: it must not wait or raise."""
        self._subscribers.append(callback)

    def path(self, relative: str) -> str:
        """Return the absolute path of a path of the tree."""
        return f"{self.root.rstrip('/')}/{relative}"

    def once(self, ask: Ask[T]) -> T:
        """Make one request. Raises LostError when it is unknown whether it was done."""
        until = time.monotonic() + self.deadline
        return self._settle(ask(self._connection(until)), until)

    def repeat(self, ask: Ask[T]) -> T:
        """Make one request, again after a lost connection, within the deadline; only for what may be done twice."""
        return self._repeat(lambda client, until: self._settle(ask(client), until))

    def gather(self, asks: Sequence[Ask[T]]) -> list[T | None]:
        """Make many requests at once, each window within the deadline; None stands for a missing znode."""
        windows = [asks[start : start + WINDOW] for start in range(0, len(asks), WINDOW)]
        return [result for window in windows for result in self._gather(window)]

    def _gather(self, window: Sequence[Ask[T]]) -> list[T | None]:
        def attempt(client: KazooClient, until: float) -> list[T | None]:
            results = [ask(client) for ask in window]
            return [self._settle_one(result, until) for result in results]

        return self._repeat(attempt)

    def send(self, ask: Ask[T]) -> None:
        """Hand over a request without waiting for the answer; it is dropped when there is no connection."""
        if self._client.connected:
            ask(self._client)

    def _repeat(self, attempt: Callable[[KazooClient, float], T]) -> T:
        until = time.monotonic() + self.deadline
        while True:
            client = self._connection(until)
            try:
                return attempt(client, until)
            except LostError:
                # An oversized or poisonous request drops every connection at once; don't hammer the ensemble with it.
                self._closing.wait(min(_jitter(), max(0.0, until - time.monotonic())))

    def _connection(self, until: float) -> KazooClient:
        with self._news:
            self._news.wait_for(self._decided, max(0.0, until - time.monotonic()))
            up, refusal = self._up, self._refusal
        if refusal is not None and not up:
            raise refusal.with_traceback(None)
        if self._closing.is_set() or not up or time.monotonic() >= until:
            raise self._unreachable()
        return self._client

    def _decided(self) -> bool:
        return self._up or self._refusal is not None or self._closing.is_set()

    def _unreachable(self) -> UnreachableError:
        troubles = self._handler.dialler.troubles
        reasons = {server: trouble.reason for server, trouble in troubles.items()}
        if any(trouble.tls for trouble in troubles.values()):
            return TlsFailedError(self.hosts, self.deadline, reasons)
        detail = "; ".join(f"{server}: {reason}" for server, reason in reasons.items())
        return UnreachableError(self.hosts, self.deadline, f" ({detail})" if detail else "")

    def _settle(self, result: Answer[T], until: float) -> T:
        try:
            found = result.get(timeout=max(0.0, until - time.monotonic()))
        except _EXPECTED:
            self._failures, self._refusal = 0, None
            raise
        except _STRANGER:
            raise self._stranger() from None
        except _LOST as error:
            raise LostError(self.hosts, self.deadline, f" ({type(error).__name__})") from error
        except ZookeeperError as error:
            raise RefusedError(type(error).__name__) from error
        self._failures, self._refusal = 0, None
        return found

    def _stranger(self) -> NotAuthenticatedError:
        login = "sasl" if self._credentials.sasl else "digest" if self._credentials.digest else ""
        return NotAuthenticatedError(self.hosts, login)

    def _settle_one(self, result: Answer[T], until: float) -> T | None:
        try:
            return self._settle(result, until)
        except NoNodeError:
            return None

    def _build(self) -> tuple[KazooClient, WatchedHandler]:
        dialler = Dialler(self.hosts, self._timeout, self._credentials.tls, self._closing)
        handler = WatchedHandler(dialler)
        client = make_client(self.hosts, self._timeout, handler, self._credentials)
        client.add_listener(lambda state: self._changed(client, state))
        return client, handler

    def _changed(self, client: KazooClient, state: str) -> None:
        if client is not self._client or self._closing.is_set():
            return
        if state == KazooState.CONNECTED:
            self._handler.dialler.connected()
        else:
            self._down_since = time.monotonic()
        # kazoo says that it's connected before it logs in.
        refused = client.client_state == KeeperState.AUTH_FAILED
        self._tell(up=state == KazooState.CONNECTED, refusal=self._stranger() if refused else self._refusal)
        for callback in self._subscribers:
            callback()

    def _tell(self, *, up: bool, refusal: StoreError | None) -> None:
        with self._news:
            self._up, self._refusal = up, refusal
            self._news.notify_all()

    def _supervise(self) -> None:
        clock = _clock()
        while not self._closing.wait(_CHECK_EVERY):
            before, clock = clock, _clock()
            if abs(clock - before) > _CHECK_EVERY:
                # Before 2.10 kazoo times its pings by the clock on the wall; a request lets it begin anew.
                self.send(lambda client: client.exists_async(self.root))
            if not self._healthy() and time.monotonic() >= self._rebuild_at:
                self._rebuild()

    def _healthy(self) -> bool:
        down = 0.0 if self._client.connected else time.monotonic() - self._down_since
        return self._handler.alive() and down < _REBUILD_AFTER * self._timeout

    def _rebuild(self) -> None:
        pause = rebuild_pause(self._failures, self._timeout, random.random())  # noqa: S311 - nothing secret about a pause
        self._rebuild_at = time.monotonic() + pause
        self._failures += 1
        try:
            client, handler = self._build()
        except StoreError as error:
            self._tell(up=False, refusal=error)
            return
        self._tell(up=False, refusal=self._refusal)
        self._down_since = time.monotonic()
        old, self._client, self._handler = self._client, client, handler
        client.start_async()
        discard(old)


def make(session: Session, path: str) -> None:
    """Make sure that there is a znode at this absolute path; lets pass NoNodeError when its parent is missing."""
    try:
        session.repeat(lambda client: client.create_async(path, b""))
    except NodeExistsError:
        return


def _clock() -> float:
    """Return what the clock on the wall is ahead of the monotonic one; it changes only when it is set."""
    return time.time() - time.monotonic()


def _jitter() -> float:
    return random.uniform(0.02, 0.2)  # noqa: S311 - nothing secret about a pause
