"""The session with ZooKeeper: each request ends within a deadline, with a reply or a typed error."""

import random
import time
from collections.abc import Callable, Sequence
from copy import copy
from enum import Enum
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    BadVersionError,
    ConnectionLoss,
    InvalidACLError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
    ZookeeperError,
)
from kazoo.handlers.threading import KazooTimeoutError

from lunmapd.core.base.permissions.principals import Principal, Role
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError, UnknownIdentityError
from lunmapd.store.session.credentials import ANONYMOUS, Credentials
from lunmapd.store.session.errors import LostError, NotServedError, StoreError, UnreachableError
from lunmapd.store.session.link import Link
from lunmapd.store.session.refusals import NOT_SERVED, LoginRequiredError, not_served, refused
from lunmapd.store.session.whoami import ask_who

if TYPE_CHECKING:
    from lunmapd.core.base.permissions.access import AclEntries

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Reply(Protocol[_T_co]):
    """A pending reply, as kazoo's asynchronous calls return it (kazoo.interfaces.IAsyncResult)."""

    @property
    def exception(self) -> BaseException | None:
        """The error that was the reply; None for any other, and before it."""

    def rawlink(self, callback: Callable[["Reply[object]"], None]) -> None:
        """Call `callback` with this once the reply is there; another thread calls it."""

    def get(self, block: bool = ..., timeout: float | None = ...) -> _T_co:  # noqa: FBT001 - as kazoo
        """Wait for the reply at most `timeout` seconds; raises its error, or KazooTimeoutError."""


KazooCall = Callable[[KazooClient], Reply[_T]]


class Forbidden(Enum):
    """Stands for the reply to a request that the ACL of its znode forbids."""

    FORBIDDEN = "forbidden"


FORBIDDEN = Forbidden.FORBIDDEN

DEFAULT_CHROOT = "/lunmap"
WINDOW = 256
# kazoo raises RuntimeError when a reply does not belong to the oldest request.
_LOST = (
    ConnectionLoss,
    SessionExpiredError,
    SessionMovedError,
    OperationTimeoutError,
    KazooTimeoutError,
    RuntimeError,
)
_EXPECTED = (NoNodeError, NodeExistsError, BadVersionError, NoAuthError, NotEmptyError)
_MANY_LOSSES = 3
_LOSSES = (
    " (servers ended the connection {} times during this request, as they do at one that is larger than "
    "their jute.maxbuffer)"
)
_NOT_AUTHENTICATED = (AuthFailedError, LoginRequiredError)


class Session:
    """A session on `hosts` (`host:port,...`) for the tree at `chroot`. Times are in seconds.

    Every request raises UnreachableError after `deadline` (TlsFailedError if TLS is the cause);
    NotAuthenticatedError, CredentialsError, SaslMissingError and NoClientError at once; NotPermittedError and
    UnknownIdentityError; and ServerRefusedError for any other unexpected answer. kazoo's NoNodeError,
    NodeExistsError, NotEmptyError and BadVersionError are passed on. `at` is the path in the tree of the
    znode that errors name. `committing` are the threads that make a commit with it, `known_acls` the last ACL
    that was read of each znode, with its version, by path (AclVersion). `beat` is called before
    each request, since it may take as long as the deadline. Use the session as a context manager, or close
    it.
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
        self.beat = beat
        self.root = "/" + chroot.strip("/")
        self.deadline = deadline
        self.known_acls: dict[str, tuple[tuple[int, int], AclEntries]] = {}
        self.committing: set[int] = set()
        self.link = Link(hosts, timeout, deadline, credentials)

    def quiet(self, deadline: float) -> Self:
        """Return the same session for another thread: with its own deadline, and without `beat`.

        What is not the caller's loop must not show that the loop goes on.
        """
        other = copy(self)
        other.deadline, other.beat = deadline, _no_beat
        return other

    def start(self) -> None:
        """Begin to connect, in the background."""
        self.link.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout: float = 5.0) -> None:
        """End the session and its ephemerals; wait at most `timeout` seconds for it."""
        self.link.close(timeout)

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now."""
        return self.link.current.connected

    @property
    def session_id(self) -> int | None:
        """The id of the session, which owns its ephemerals; None without a connection."""
        found = self.link.current.client_id
        return None if found is None else found[0]

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each change of the connection.

        Another thread calls it: it must not block or raise.
        """
        self.link.subscribe(callback)

    def path(self, relative: str) -> str:
        """Return the absolute path of the znode at `relative` in the tree; "" is the root of the tree."""
        return f"{self.root.rstrip('/')}/{relative}".rstrip("/") or "/"

    def whoami(self) -> tuple[Principal, ...]:
        """Return the principals that the servers authenticated this client as, without password hashes.

        It is empty for an anonymous client. Needs ZooKeeper 3.7.
        """
        return tuple(self.repeat(ask_who))

    def _known_principals(self) -> tuple[str, ...]:
        """Return the principals for a message; empty if the servers don't answer."""
        try:
            return tuple(map(str, self.whoami()))
        except StoreError:
            return ()

    def once(self, ask: KazooCall[_T], at: str = "") -> _T:
        """Make one request. Raises LostError if it is unknown whether the request was done."""
        self.beat()
        until = time.monotonic() + self.deadline
        return self._settle(ask(self.link.client(until)), until, at, Role.ADMIN)

    def repeat(self, ask: KazooCall[_T], at: str = "") -> _T:
        """Make one idempotent request, and again after a lost connection, within the deadline."""
        return self._repeat(lambda client, until: self._settle(ask(client), until, at))

    def repeat_all(self, asks: Sequence[KazooCall[_T]]) -> list[_T]:
        """Make several idempotent requests at once, and all again after a lost connection."""

        def attempt(client: KazooClient, until: float) -> list[_T]:
            return [self._settle(result, until, "") for result in [ask(client) for ask in asks]]

        return self._repeat(attempt)

    def gather(self, asks: Sequence[KazooCall[_T]], at: Sequence[str]) -> list[_T | None]:
        """Make many requests at once, each window within the deadline; None stands for a missing znode.

        `at` are the paths of the znodes. Raises NotPermittedError for one whose ACL forbids the request.
        """
        results = self.gather_permitted(asks)
        for place, result in zip(at, results, strict=True):
            if result is FORBIDDEN:
                raise self.not_permitted(place, Role.READER)
        return [result for result in results if result is not FORBIDDEN]

    def gather_permitted(self, asks: Sequence[KazooCall[_T]]) -> list[_T | Forbidden | None]:
        """Make many requests as `gather` does; FORBIDDEN stands for a znode whose ACL forbids the request."""
        windows = [asks[start : start + WINDOW] for start in range(0, len(asks), WINDOW)]
        return [result for window in windows for result in self._gather(window)]

    def _gather(self, window: Sequence[KazooCall[_T]]) -> list[_T | Forbidden | None]:
        def attempt(client: KazooClient, until: float) -> list[_T | Forbidden | None]:
            results = [ask(client) for ask in window]
            return [self._settle_one(result, until) for result in results]

        return self._repeat(attempt)

    def begin(self, ask: KazooCall[_T]) -> Callable[[], _T | Forbidden | None]:
        """Send an idempotent request, and return the function that waits for its reply.

        The reply is FORBIDDEN if the ACL of the znode forbids the request. It is None for a missing znode,
        and if there is no connection or it is lost. Requests of one session are done in their order.
        """
        client, until = self.link.current, time.monotonic() + self.deadline
        if not client.connected:
            return lambda: None
        result = ask(client)

        def reply() -> _T | Forbidden | None:
            try:
                return self._settle_one(result, until)
            except LostError:
                return None

        return reply

    def send(self, ask: KazooCall[_T]) -> None:
        """Send a request without waiting for the reply; it is dropped if there is no connection."""
        client = self.link.current
        if client.connected:
            ask(client)

    def finish(self, ask: KazooCall[object]) -> None:
        """Send an idempotent request without waiting for the reply, and again after a lost connection.

        It is dropped when the session ends.
        """
        client = self.link.current

        def send() -> None:
            ask(client).rawlink(again)

        def again(reply: Reply[object]) -> None:
            if isinstance(reply.exception, ConnectionLoss):
                send()

        send()

    def _repeat(self, attempt: Callable[[KazooClient, float], _T]) -> _T:
        self.beat()
        until = time.monotonic() + self.deadline
        last: NotServedError | None = None
        losses = 0
        while True:
            client = self._client(until, last, losses)
            try:
                return attempt(client, until)
            except LostError as error:
                losses += 1
                last = error if isinstance(error, NotServedError) else None
                # Each server drops the connection at an oversized request; do not repeat it at once.
                self.link.pause(min(_jitter(), max(0.0, until - time.monotonic())))

    def _client(self, until: float, last: NotServedError | None, losses: int) -> KazooClient:
        """Return a connected client; at the deadline raise the last answer of a server, if there is one.

        `losses` counts how often the connection ended since the request was made.
        """
        try:
            return self.link.client(until)
        except UnreachableError:
            if last is not None:
                raise last from None
            if losses >= _MANY_LOSSES:
                raise UnreachableError(self.hosts, self.deadline, _LOSSES.format(losses)) from None
            raise

    def _settle(self, result: Reply[_T], until: float, at: str, role: Role = Role.READER) -> _T:
        try:
            return self._answer(result, until)
        except NoAuthError:
            raise self.not_permitted(at, role) from None

    def _answer(self, result: Reply[_T], until: float) -> _T:
        """Return the reply; passes on NoAuthError too."""
        try:
            found = result.get(timeout=max(0.0, until - time.monotonic()))
        except _EXPECTED:
            self.link.answered()
            raise
        except InvalidACLError:
            raise UnknownIdentityError from None
        except _NOT_AUTHENTICATED:
            raise self.link.not_authenticated() from None
        except NOT_SERVED as error:
            raise not_served(self.hosts, error) from None
        except _LOST as error:
            raise LostError(self.hosts, self.deadline, f" ({type(error).__name__})") from error
        except ZookeeperError as error:
            raise refused(error) from error
        self.link.answered()
        return found

    def _settle_one(self, result: Reply[_T], until: float) -> _T | Forbidden | None:
        try:
            return self._answer(result, until)
        except NoNodeError:
            return None
        except NoAuthError:
            return FORBIDDEN

    def not_permitted(self, at: str, role: Role) -> NotPermittedError:
        """Return the error for a request that the ACL of the znode `at` forbids; `role` would allow it."""
        node = paths.owner(at)
        return NotPermittedError(self.path(at), self._known_principals(), role, node)


def _no_beat() -> None:
    pass


def _jitter() -> float:
    return random.uniform(0.02, 0.2)  # noqa: S311 - nothing secret about a pause
