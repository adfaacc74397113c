"""A discovery login to a portal: proof that the kernel's login thread of the portal answers.

A TCP connection alone proves nothing, since the kernel accepts it while the login thread waits (listen(2),
backlog). A connection on which nothing is sent stops all other logins through the portal for 15 s
(TA_LOGIN_TIMEOUT in drivers/target/iscsi/iscsi_target_core.h), so the login is sent at once, and ends with a
logout. LIO counts no discovery login in its statistics, and logs nothing of a complete one. An answer of any
kind proves that the thread lives.

Sources: RFC 7143, sections 11.12 to 11.15 (the PDUs) and 12.1.3 (CHAP).
"""

import hashlib
import os
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import closing, suppress

from lunmapd.core.node.lio_objects import NO_CREDENTIALS, ChapCredentials

INITIATOR = "iqn.2026-11.invalid.lunmapd:portal-check"
"""The name by which the kernel's messages show a check that failed. No ACL is needed for discovery."""

_LOGIN_REQUEST, _LOGIN_RESPONSE, _LOGOUT_REQUEST = 0x43, 0x23, 0x46
_IMMEDIATE_LOGOUT = 0x80
# Login flags: the stage, and in bits 0-1 the next one with the transit bit.
_SECURITY, _TO_OPERATIONAL, _TO_FULL_FEATURE = 0x00, 0x81, 0x87
_ISID = bytes.fromhex("80756e6d6170")
_HEADER = 48
_MAX_DATA = 1 << 16
_CHALLENGE = 16
_DIGESTS = {"HeaderDigest": "None", "DataDigest": "None"}
_WHO = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}


class NoAnswerError(Exception):
    """The portal did not answer a login; the message is a sentence about it."""


def check_login(address: str, port: int, credentials: ChapCredentials, seconds: float) -> None:
    """Make a discovery login within `seconds`. Raises NoAnswerError unless the portal answers."""
    until = time.monotonic() + seconds
    try:
        connection = socket.create_connection((address, port), seconds)
    except TimeoutError:
        raise NoAnswerError(f"no connection within {seconds:g} s") from None
    except OSError as error:
        raise NoAnswerError(error.strerror or str(error)) from None
    with closing(connection):
        login = _Login(connection, until)
        try:
            first = login.exchange(*_first(credentials))
        except TimeoutError:
            raise NoAnswerError(
                f"it accepts connections, and answers no login within {seconds:g} s: the login thread "
                "waits in the kernel, usually for a device that does not answer"
            ) from None
        except (OSError, EOFError) as error:
            raise NoAnswerError(f"it ends the connection without an answer ({error})") from None
        # Whatever follows only keeps the kernel's log free of messages about a login that was given up.
        with suppress(OSError, EOFError, ValueError, KeyError):
            _finish(login, first, credentials)


def _first(credentials: ChapCredentials) -> tuple[int, Mapping[str, str]]:
    if credentials == NO_CREDENTIALS:
        return _TO_FULL_FEATURE, {**_WHO, **_DIGESTS}
    return _TO_OPERATIONAL, {**_WHO, "AuthMethod": "CHAP"}


def _finish(login: "_Login", first: Mapping[str, str], credentials: ChapCredentials) -> None:
    if credentials != NO_CREDENTIALS:
        if first.get("AuthMethod") != "CHAP":
            return
        challenge = login.exchange(_SECURITY, {"CHAP_A": "5"})
        login.exchange(_TO_OPERATIONAL, _response(challenge, credentials))
        login.exchange(_TO_FULL_FEATURE, _DIGESTS)
    login.log_out()


def _response(challenge: Mapping[str, str], credentials: ChapCredentials) -> dict[str, str]:
    """Return the answer to a CHAP challenge, and one of our own, which mutual CHAP requires."""
    identifier, octets = int(challenge["CHAP_I"]), bytes.fromhex(challenge["CHAP_C"][2:])
    secret = credentials.password.text.encode()
    digest = hashlib.md5(bytes([identifier]) + secret + octets, usedforsecurity=False).hexdigest()
    answer = {"CHAP_N": credentials.userid, "CHAP_R": f"0x{digest}"}
    if not credentials.userid_mutual:
        return answer
    return {**answer, "CHAP_I": "1", "CHAP_C": f"0x{os.urandom(_CHALLENGE).hex()}"}


class _Login:
    """A login on a connection; every wait ends at the monotonic time `until`."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection = connection
        self._until = until
        self._next = 0

    def exchange(self, flags: int, keys: Mapping[str, str]) -> dict[str, str]:
        """Send a login request; return the keys of the response. Raises OSError, TimeoutError, EOFError."""
        data = b"".join(f"{key}={value}".encode() + b"\0" for key, value in keys.items())
        self._send(_LOGIN_REQUEST, flags, _ISID, data)
        header = self._receive(_HEADER)
        length = int.from_bytes(header[5:8], "big")
        if header[0] != _LOGIN_RESPONSE or length > _MAX_DATA:
            raise EOFError("not a login response")
        self._next = int.from_bytes(header[24:28], "big") + 1
        text = self._receive(length + -length % 4)[:length].decode(errors="replace")
        return dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)

    def log_out(self) -> None:
        """Close the session. Raises OSError, TimeoutError, EOFError."""
        self._send(_LOGOUT_REQUEST, _IMMEDIATE_LOGOUT, bytes(6), b"", tag=2)
        self._receive(_HEADER)

    def _send(self, operation: int, flags: int, isid: bytes, data: bytes, tag: int = 1) -> None:
        self._wait_at_most()
        header = struct.pack("!BB3x3s6sH", operation, flags, len(data).to_bytes(3, "big"), isid, 0)
        header += struct.pack("!IHHII16x", tag, 0, 0, int(operation == _LOGOUT_REQUEST), self._next)
        self._connection.sendall(header + data + bytes(-len(data) % 4))

    def _receive(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            self._wait_at_most()
            part = self._connection.recv(length - len(received))
            if not part:
                raise EOFError("end of file")
            received += part
        return received

    def _wait_at_most(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
