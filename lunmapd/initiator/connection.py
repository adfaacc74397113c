"""One connection of an initiator: connect, log in, discover, send commands, log out. Each step has a limit.

libiscsi works without threads: `_wait` gives it the events of its socket until a callback says that the step
has ended. `close` ends the connection in any state, and with it the session: LIO ends a session of one
connection when its TCP connection ends. There is no reconnect.
"""

import ctypes
import re
import select
import time
from collections.abc import Callable
from ctypes import byref
from typing import Any, Self

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import Authentication
from lunmapd.core.base.password import Secret
from lunmapd.core.probe.scsi import ScsiCommand, Sense
from lunmapd.initiator.libiscsi import (
    CALLBACK,
    CHECK_CONDITION,
    DISCOVERY_SESSION,
    GOOD,
    NORMAL_SESSION,
    STATUS_NAMES,
    XFER_NONE,
    XFER_READ,
    Libiscsi,
    SenseHead,
    discovered,
)

_LOGOUT = 2.0  # seconds
_LOGIN_STATUS = re.compile(r"Status: (.*)\((\d+)\)")
_SOCKET_ERROR = re.compile(r"(?:socket error|errno :) (.*)\(\d+\)")
_ENDED = "the portal closed the connection, or broke the protocol"
_MAX_STATUS = 0xFF


class ProbeConnectionError(LunmapdError):
    """Root of the errors of a connection; none of them lets it be used again."""


class PortalUnreachableError(ProbeConnectionError):
    """There is no TCP connection with the portal."""


class StepTimeoutError(ProbeConnectionError):
    """The portal accepted the connection, and a step had no answer in time."""


class ConnectionLostError(ProbeConnectionError):
    """The portal closed the connection, or its answer can't be understood."""


class LoginRefusedError(ProbeConnectionError):
    """The portal refused the login, or this initiator did not accept the target's proof."""


class CommandFailedError(LunmapdError):
    """A SCSI command ended with another status than GOOD; `sense` is that of CHECK CONDITION.

    The connection remains usable.
    """

    def __init__(self, status: int, sense: Sense | None) -> None:
        self.status, self.sense = status, sense
        super().__init__(str(sense or STATUS_NAMES.get(status, f"SCSI status {status:#x}")))


class InitiatorAccess(Struct, frozen=True):
    """Who logs in: the initiator's name, and its CHAP credentials if it has any.

    `target_user` and `target_password` are those with which the target answers (mutual CHAP).
    """

    initiator: str
    user: str = ""
    password: Secret = Secret("")
    target_user: str = ""
    target_password: Secret = Secret("")

    def reduced(self, authentication: Authentication) -> "InitiatorAccess":
        """Return the part that a target with this authentication requires, as nodes configure it."""
        match authentication:
            case Authentication.NONE:
                return InitiatorAccess(self.initiator)
            case Authentication.CHAP:
                return InitiatorAccess(self.initiator, self.user, self.password)
            case Authentication.MUTUAL_CHAP:
                return self


class PortalConnection:
    """A connection with one portal. Use it as a context manager: leaving it ends the session."""

    def __init__(self, library: Libiscsi, access: InitiatorAccess, limit: Callable[[], float]) -> None:
        """Prepare a connection; `limit` returns the seconds that the next step may take."""
        self._library = library
        self._limit = limit
        self._logged_in = False
        # What libiscsi may use until a step has ended, or the context is destroyed.
        self._kept: list[object] = []
        self._tasks: list[int] = []
        self._error = ""
        self._context: int | None = library.iscsi_create_context(access.initiator.encode())
        library.iscsi_set_noautoreconnect(self._context, 1)
        library.iscsi_set_alias(self._context, b"lunmapctl probe")
        self._set_credentials(access)

    def _set_credentials(self, access: InitiatorAccess) -> None:
        own, other = access.password.text, access.target_password.text
        if access.user:
            self._library.iscsi_set_initiator_username_pwd(self._context, access.user.encode(), own.encode())
        if access.target_user:
            self._library.iscsi_set_target_username_pwd(
                self._context, access.target_user.encode(), other.encode()
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self, portal: str) -> None:
        """Connect to `address:port`. Raises PortalUnreachableError."""
        try:
            status = self._wait(
                lambda ended: self._library.iscsi_connect_async(self._context, portal.encode(), ended, None)
            )
        except ProbeConnectionError as error:
            raise PortalUnreachableError(str(error)) from None
        if status != GOOD:
            raise PortalUnreachableError(self._error)

    def log_in(self, target: str = "") -> None:
        """Log in to a target, or for discovery if it is "".

        Raises StepTimeoutError, ConnectionLostError, LoginRefusedError.
        """
        kind = NORMAL_SESSION if target else DISCOVERY_SESSION
        self._library.iscsi_set_session_type(self._context, kind)
        if target:
            self._library.iscsi_set_targetname(self._context, target.encode())
        status = self._wait(lambda ended: self._library.iscsi_login_async(self._context, ended, None))
        if status != GOOD:
            raise LoginRefusedError(self._error)
        self._logged_in = True

    def discover(self) -> dict[str, frozenset[str]]:
        """Return the targets of SendTargets, each with its portals as `address:port,tag`.

        Raises StepTimeoutError, ConnectionLostError.
        """
        found: dict[str, frozenset[str]] = {}

        def copy(data: int | None) -> None:
            found.update((name, frozenset(portals)) for name, portals in discovered(data))

        status = self._wait(
            lambda ended: self._library.iscsi_discovery_async(self._context, ended, None), copy
        )
        if status != GOOD:
            raise ConnectionLostError(self._error)
        return found

    def command(self, lun: int, command: ScsiCommand) -> bytes:
        """Send a command to a LUN and return its data, with zeros up to the length that was asked for.

        Raises StepTimeoutError, ConnectionLostError, CommandFailedError.
        """
        library, cdb, length = self._library, command.cdb, command.length
        task = library.scsi_create_task(len(cdb), cdb, XFER_READ if length else XFER_NONE, length)
        self._tasks.append(task)
        buffer = ctypes.create_string_buffer(length) if length else None
        if buffer is not None:
            self._kept.append(buffer)
            library.scsi_task_add_data_in_buffer(task, length, buffer)
        status = self._wait(
            lambda ended: library.iscsi_scsi_command_async(self._context, lun, task, ended, None, None)
        )
        self._kept.clear()
        sense = SenseHead()
        library.scsi_task_get_status(task, byref(sense))
        library.scsi_free_scsi_task(self._tasks.pop())
        if status == GOOD:
            return b"" if buffer is None else buffer.raw
        if status > _MAX_STATUS:
            raise ConnectionLostError(self._error)
        raise CommandFailedError(status, Sense(sense.key, sense.code) if status == CHECK_CONDITION else None)

    def close(self) -> None:
        """End the session and the connection, in any state. It may be called twice."""
        if self._context is None:
            return
        try:
            if self._logged_in and not self._tasks:
                self._limit = lambda: _LOGOUT
                self._wait(lambda ended: self._library.iscsi_logout_async(self._context, ended, None))
        except ProbeConnectionError:
            pass  # the session ends with the connection
        finally:
            # This closes the socket, and calls the callbacks of what is under way.
            self._library.iscsi_destroy_context(self._context)
            self._context = None
            while self._tasks:
                self._library.scsi_free_scsi_task(self._tasks.pop())
            self._kept.clear()

    def _wait(self, start: Callable[[Any], int], copy: Callable[[int | None], None] | None = None) -> int:
        """Start a step and wait for its status; `copy` takes the data of its callback.

        Raises StepTimeoutError, ConnectionLostError.
        """
        limit = self._limit()
        until = time.monotonic() + limit
        statuses: list[int] = []

        def note(_context: int, status: int, data: int | None, _private: int) -> None:
            if status != GOOD:
                self._error = self._reason()  # libiscsi replaces the text afterwards
            elif copy is not None:
                copy(data)
            statuses.append(status)

        ended = CALLBACK(note)
        self._kept.append(ended)
        if start(ended) != 0:
            raise ConnectionLostError(self._reason())
        while not statuses:
            left = until - time.monotonic()
            if left <= 0:
                raise StepTimeoutError(f"no answer within {limit:.3g} s")
            if not self._serve_events(left) and not statuses:
                raise ConnectionLostError(_ENDED)
        return statuses[0]

    def _serve_events(self, seconds: float) -> bool:
        """Give libiscsi the next events of its socket, within `seconds`; return whether it is still open."""
        library, poller = self._library, select.poll()
        poller.register(library.iscsi_get_fd(self._context), library.iscsi_which_events(self._context))
        events = sum(bits for _, bits in poller.poll(seconds * 1000))
        return bool(library.iscsi_service(self._context, events) == 0)

    def _reason(self) -> str:
        """Return libiscsi's last error in words: of a login its status, of a socket that of errno(3)."""
        text = (self._library.iscsi_get_error(self._context) or b"").decode("utf-8", "replace").strip()
        if match := _LOGIN_STATUS.search(text):
            return f"{match[1].lower()} (status {int(match[2]):04x})"
        if match := _SOCKET_ERROR.search(text):
            return match[1].lower()
        return text or _ENDED
