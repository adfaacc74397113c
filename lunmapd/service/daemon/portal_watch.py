"""Checks the node's portals from outside LIO, in a thread: addresses, links, and a login to each portal.

A check is made at an interval, when links or addresses change, and when the set of portals changes. A problem
is reported once a second check has found it too. The daemon's loop never waits for a check.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import NamedTuple, Protocol

from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.names import is_every_address
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.lio_objects import NO_CREDENTIALS, ChapCredentials
from lunmapd.core.node.portals import PortalProblems, address_problem, host_of
from lunmapd.service.daemon.background import running
from lunmapd.service.daemon.login_probe import NoAnswerError, check_login
from lunmapd.service.daemon.network import add_routed, discard_changes, listen_to_changes, read_interfaces

_log = logging.getLogger(__name__)

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - no socket is bound to it
_MAX_AT_ONCE = 32  # logins
_END = 1.0  # seconds; a check that takes longer is left to the end of the process


class Times(NamedTuple):
    """Times in seconds.

    `interval`: between two checks without a cause. `settle`: from a change of links or addresses to the
    check, so that a failover of a bond or a renewed address is no problem. `confirm`: from a check that found
    a new problem to the one that confirms it. `login`: for a login; more than the 15 s for which a connection
    that sends nothing stops all other logins through a portal (login_probe.py).
    """

    interval: float = 60.0
    settle: float = 1.0
    confirm: float = 2.0
    login: float = 20.0


DEFAULT_TIMES = Times()


class CheckPortals(Protocol):
    """A function that checks portals."""

    def __call__(self, portals: AbstractSet[str], credentials: ChapCredentials) -> PortalProblems:
        """Return the problems of the portals."""


class PortalWatch:
    """The checks of a node's portals. `run` is the thread, the other methods are for any thread."""

    def __init__(self, check: CheckPortals, notify: Callable[[], None], times: Times = DEFAULT_TIMES) -> None:
        """Prepare. `notify` is called when the problems have changed."""
        self._check = check
        self._notify = notify
        self._times = times
        self._task: tuple[AbstractSet[str], ChapCredentials] = (frozenset(), NO_CREDENTIALS)
        self._problems: PortalProblems = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._over = threading.Event()

    def problems(self) -> PortalProblems:
        """Return the problems that the last checks found."""
        return self._problems

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:
        """Check these portals from now on, at once if they are others than before."""
        if (portals, credentials) != self._task:
            self._task = portals, credentials
            os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread, after a check that goes on."""
        self._over.set()
        os.eventfd_write(self._wake, 1)

    def run(self, changes: socket.socket | None) -> None:
        """Check until `stop`, then close `changes`, the socket of `listen_to_changes`, if there is one."""
        with changes or nullcontext():
            while not self._over.is_set():
                try:
                    self._look()
                except (OSError, RuntimeError) as error:  # RuntimeError: no further thread can be started
                    _unwatched("the portals could not be checked", error)
                self._wait(changes)

    def _look(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        problems = self._confirmed()
        if problems != self._problems:
            self._problems = problems
            self._notify()

    def _confirmed(self) -> PortalProblems:
        """Return the problems that are known already, or that two checks in a row have found."""
        portals, credentials = self._task
        found = self._check(portals, credentials)
        new = frozenset(portal for portal in found if found[portal] != self._problems.get(portal))
        if not new:
            return found
        self._over.wait(self._times.confirm)
        again = self._check(new, credentials)
        return {**{portal: found[portal] for portal in found.keys() - new}, **again}

    def _wait(self, changes: socket.socket | None) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if changes is not None:
            poll.register(changes, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(self._times.interval * 1000)}
        if changes is not None and changes.fileno() in ready:
            self._over.wait(self._times.settle)
            discard_changes(changes)


def check_portals(
    portals: AbstractSet[str], credentials: ChapCredentials, seconds: float = DEFAULT_TIMES.login
) -> PortalProblems:
    """Return the problems of the portals: of the address, else of a login within `seconds`."""
    if not portals:
        return {}
    hosts = {host_of(portal) for portal in portals if not is_every_address(portal)}
    interfaces = add_routed(read_interfaces(), hosts)
    addresses = ((portal, address_problem(portal, interfaces)) for portal in sorted(portals))
    problems = {portal: problem for portal, problem in addresses if problem is not None}
    return {**problems, **_login_problems(sorted(portals - problems.keys()), credentials, seconds)}


def _login_problems(
    portals: list[str], credentials: ChapCredentials, seconds: float
) -> Mapping[str, Failure]:
    """Log in to several portals at the same time, each in a thread that nothing waits for at exit."""
    problems: dict[str, Failure] = {}

    def log_in(portal: str) -> None:
        host = host_of(portal)
        try:
            check_login(_LOOPBACK.get(host, host), int(portal.rpartition(":")[2]), credentials, seconds)
        except NoAnswerError as error:
            sentence = f"a login to {portal} from the node itself failed: {error}"
            problems[portal] = Failure(Reason.PORTAL_REFUSED, sentence)

    for first in range(0, len(portals), _MAX_AT_ONCE):
        some = portals[first : first + _MAX_AT_ONCE]
        threads = [threading.Thread(target=log_in, args=(portal,), daemon=True) for portal in some]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return problems


@contextmanager
def watched_portals(watch: PortalWatch) -> Iterator[None]:
    """Run the checks in a thread as long as the context lasts; without netlink only at intervals."""
    changes: socket.socket | None = None
    try:
        changes = listen_to_changes()
    except OSError as error:
        _unwatched("changes of links and addresses are not watched", error)
    with running(partial(watch.run, changes), watch.stop, "portals", _END):
        yield


def _unwatched(what: str, error: Exception) -> None:
    _log.warning(
        "%s: %s; they are checked again after an interval",
        what,
        error,
        extra=journal_fields(Message.PORTALS_UNWATCHED),
    )
