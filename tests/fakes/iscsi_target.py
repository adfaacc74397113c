"""A target on a loopback port with scripted LUNs: it answers initiators as RFC 7143 asks, without digests.

It shows what no kernel does on demand: silence, refusals, malformed data.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

_HEADER = 48


class Reply(NamedTuple):
    """What a LUN answers to a command: data, a status, and the sense of CHECK CONDITION."""

    data: bytes = b""
    status: int = 0
    sense: tuple[int, int] | None = None


class Hang(Exception):  # noqa: N818 - it is named for what happens
    """A script raises it to leave a command without an answer."""


Script = Callable[[int, bytes], Reply]
"""Takes LUN number and CDB."""


class Request(NamedTuple):
    """A request of an initiator."""

    header: bytes
    data: bytes

    @property
    def opcode(self) -> int:
        """The opcode without its immediate bit."""
        return self.header[0] & 0x3F


class FakeTarget:
    """A portal with one target. `login_status` refuses each login; `silent` accepts and says nothing.

    `portal` is its address and port, `commands` are the LUN numbers and CDBs that came, `logins` the texts of
    the login requests, `logouts` the number of logouts.
    """

    def __init__(
        self, script: Script, listed: bytes = b"", login_status: int = 0, *, silent: bool = False
    ) -> None:
        self.commands: list[tuple[int, bytes]] = []
        self.logins: list[bytes] = []
        self.logouts = 0
        self._script, self._listed, self._status, self._silent = script, listed, login_status, silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.portal = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            if not self._silent:
                with suppress(ConnectionError, Hang):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        """Answer one initiator until it leaves."""
        count = 1
        while request := _receive(connection):
            count += 1
            for answer in self._answers(request, count):
                connection.sendall(answer)

    def _answers(self, request: Request, count: int) -> list[bytes]:
        match request.opcode:
            case 0x03:
                return [self._login(request, count)]
            case 0x04:
                return [_pdu(request, count, 0x24, 0x80, self._listed)]
            case 0x01:
                return [self._command(request, count)]
            case _:
                self.logouts += 1
                return [_pdu(request, count, 0x26, 0x80)]

    def _login(self, request: Request, count: int) -> bytes:
        self.logins.append(request.data)
        in_security_stage = request.header[1] >> 2 & 0x3 == 0
        data = b"AuthMethod=None\0" if in_security_stage else b"HeaderDigest=None\0DataDigest=None\0"
        answer = bytearray(_pdu(request, count, 0x23, request.header[1], data))
        answer[2:4] = b"\0\0"
        answer[8:14], answer[14:16] = request.header[8:14], b"\0\1"
        answer[36:38] = self._status.to_bytes(2)
        return bytes(answer)

    def _command(self, request: Request, count: int) -> bytes:
        lun, cdb = int.from_bytes(request.header[8:10]), request.header[32:48]
        self.commands.append((lun, cdb))
        reply, wanted = self._script(lun, cdb), int.from_bytes(request.header[20:24])
        if reply.status or not wanted:
            return _with_status(_pdu(request, count, 0x21, 0x80, _sense(reply)), reply.status)
        data = reply.data[:wanted]
        answer = bytearray(_pdu(request, count, 0x25, 0x83 if len(data) < wanted else 0x81, data))
        answer[20:24], answer[36:44], answer[44:48] = b"\xff" * 4, bytes(8), (wanted - len(data)).to_bytes(4)
        return bytes(answer)


def _receive(connection: socket.socket) -> Request | None:
    header = _exactly(connection, _HEADER)
    length = int.from_bytes(header[5:8]) if header else 0
    return Request(header, _exactly(connection, length + -length % 4)) if header else None


def _exactly(connection: socket.socket, count: int) -> bytes:
    """Read so many bytes; none if the initiator has left."""
    data = b""
    while len(data) < count:
        if not (more := connection.recv(count - len(data))):
            return b""
        data += more
    return data


def _pdu(request: Request, count: int, opcode: int, flags: int, data: bytes = b"") -> bytes:
    """Make an answer: its sequence numbers let the initiator send more."""
    header = bytearray(_HEADER)
    header[0], header[1] = opcode, flags
    header[5:8] = len(data).to_bytes(3)
    header[16:20], header[20:24] = request.header[16:20], b"\xff" * 4
    # An immediate request takes no number (RFC 7143, 4.2.2.1).
    expected = int.from_bytes(request.header[24:28]) + (not request.header[0] & 0x40)
    header[24:28], header[28:32], header[32:36] = (
        (value % (1 << 32)).to_bytes(4) for value in (count, expected, expected + 63)
    )
    return bytes(header) + data + bytes(-len(data) % 4)


def _with_status(answer: bytes, status: int) -> bytes:
    return answer[:3] + bytes((status,)) + answer[4:]


def _sense(reply: Reply) -> bytes:
    if reply.sense is None:
        return b""
    key, code = reply.sense
    fixed = bytes((0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0)) + code.to_bytes(2) + bytes(4)
    return len(fixed).to_bytes(2) + fixed
