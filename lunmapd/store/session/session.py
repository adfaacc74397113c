"""The session with ZooKeeper: requests that always end, by an answer or by an error that says what to do."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
    InvalidACLError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
    ZookeeperError,
)
from kazoo.handlers.threading import KazooTimeoutError

from lunmapd.core.base.access import Identity, Role
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError, UnknownIdentityError
from lunmapd.store.session.client import LoginRequiredError
from lunmapd.store.session.credentials import ANONYMOUS, Credentials
from lunmapd.store.session.errors import LostError, ServerRefusedError, StoreError
from lunmapd.store.session.link import Link
from lunmapd.store.session.whoami import ask_who

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Reply(Protocol[_T_co]):
    """What kazoo's asynchronous calls return (kazoo.interfaces.IAsyncResult)."""

    def get(self, block: bool = ..., timeout: float | None = ...) -> _T_co:  # noqa: FBT001 - kazoo's signature
        """Wait for the answer; raises what it says, or KazooTimeoutError."""


Request = Callable[[KazooClient], Reply[_T]]

DEFAULT_CHROOT = "/lunmap"
WINDOW = 256
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
_NOT_AUTHENTICATED = (AuthFailedError, LoginRequiredError)


class Session:
    """A session on `hosts` (`host:port,...`) for the tree at `chroot`. Times are in seconds.

    Every call raises UnreachableError after `deadline` (TlsFailedError if that is why), NotAuthenticatedError at once,
    NotPermittedError, UnknownIdentityError, ServerRefusedError for any other unexpected answer, and lets pass kazoo's NoNodeError, NodeExistsError and
    BadVersionError. Where a call has `at`, that is the znode that errors name, by its path in the tree.
    Close it, or use it as a context manager.
    """

    def __init__(  # noqa: PLR0913 - all but the hosts are options
        self,
        hosts: str,
        chroot: str = DEFAULT_CHROOT,
        *,
        timeout: float = 10.0,
        deadline: float = 10.0,
        credentials: Credentials = ANONYMOUS,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.hosts = hosts
        self._beat = beat
        self.root = "/" + chroot.strip("/")
        self.deadline = deadline
        self.link = Link(hosts, timeout, deadline, credentials)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self.link.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout: float = 5.0) -> None:
        """End the session and its ephemerals; gives up waiting after `timeout`."""
        self.link.close(timeout)

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now."""
        return self.link.current.connected

    @property
    def session_id(self) -> int | None:
        """Id of the session, the owner of its ephemerals; None without a connection."""
        found = self.link.current.client_id
        return None if found is None else found[0]

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of the connection, from a foreign thread: it must not wait or raise."""
        self.link.subscribe(callback)

    def path(self, relative: str) -> str:
        """Return the absolute path of a path of the tree; "" is its root."""
        return f"{self.root.rstrip('/')}/{relative}".rstrip("/") or "/"

    def whoami(self) -> tuple[Identity, ...]:
        """Return who we are to the servers, without password hashes; nobody if they can't tell."""
        try:
            return tuple(self.repeat(ask_who))
        except StoreError:
            return ()

    def once(self, ask: Request[_T], at: str = "") -> _T:
        """Make one request. Raises LostError when it is unknown whether it was done."""
        self._beat()
        until = time.monotonic() + self.deadline
        return self._settle(ask(self.link.client(until)), until, at, Role.ADMIN)

    def repeat(self, ask: Request[_T], at: str = "") -> _T:
        """Make one request, again after a lost connection, within the deadline; only for what may be done twice."""
        return self._repeat(lambda client, until: self._settle(ask(client), until, at))

    def gather(self, asks: Sequence[Request[_T]], at: Sequence[str] = ()) -> list[_T | None]:
        """Make many requests at once, each window within the deadline; None stands for a missing znode."""
        places = at or [""] * len(asks)
        both = list(zip(asks, places, strict=True))
        windows = [both[start : start + WINDOW] for start in range(0, len(asks), WINDOW)]
        return [result for window in windows for result in self._gather(window)]

    def _gather(self, window: Sequence[tuple[Request[_T], str]]) -> list[_T | None]:
        def attempt(client: KazooClient, until: float) -> list[_T | None]:
            results = [(ask(client), at) for ask, at in window]
            return [self._settle_one(result, until, at) for result, at in results]

        return self._repeat(attempt)

    def send(self, ask: Request[_T]) -> None:
        """Hand over a request without waiting for the answer; it is dropped when there is no connection."""
        client = self.link.current
        if client.connected:
            ask(client)

    def _repeat(self, attempt: Callable[[KazooClient, float], _T]) -> _T:
        self._beat()
        until = time.monotonic() + self.deadline
        while True:
            client = self.link.client(until)
            try:
                return attempt(client, until)
            except LostError:
                # An oversized or poisonous request drops every connection at once; don't hammer the ensemble with it.
                self.link.pause(min(_jitter(), max(0.0, until - time.monotonic())))

    def _settle(self, result: Reply[_T], until: float, at: str, role: Role = Role.READER) -> _T:
        try:
            found = result.get(timeout=max(0.0, until - time.monotonic()))
        except _EXPECTED:
            self.link.answered()
            raise
        except NoAuthError:
            raise self.not_permitted(at, role) from None
        except InvalidACLError:
            raise UnknownIdentityError from None
        except _NOT_AUTHENTICATED:
            raise self.link.not_authenticated() from None
        except _LOST as error:
            raise LostError(self.hosts, self.deadline, f" ({type(error).__name__})") from error
        except ZookeeperError as error:
            raise ServerRefusedError(type(error).__name__) from error
        self.link.answered()
        return found

    def _settle_one(self, result: Reply[_T], until: float, at: str) -> _T | None:
        try:
            return self._settle(result, until, at)
        except NoNodeError:
            return None

    def not_permitted(self, at: str, role: Role) -> NotPermittedError:
        """Make the error for a request that the ACL of a znode forbids; `role` is what would allow it."""
        node = paths.owner(at)
        return NotPermittedError(self.path(at), [str(who) for who in self.whoami()], role, node)


def _jitter() -> float:
    return random.uniform(0.02, 0.2)  # noqa: S311 - nothing secret about a pause
