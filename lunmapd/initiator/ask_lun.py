"""Ask one LUN what it is and how it is, by commands that only read."""

from collections.abc import Callable
from typing import TypeVar

from lunmapd.core.probe.answers import LunAnswer
from lunmapd.core.probe.scsi import (
    ALUA_STANDBY,
    DEVICE_ID,
    INQUIRY,
    MODE_SENSE,
    NOT_READY,
    READ_CAPACITY,
    REPORT_PORT_GROUPS,
    TEST_UNIT_READY,
    UNIT_ATTENTION,
    UNIT_SERIAL,
    Capacity,
    MalformedDataError,
    ScsiCommand,
    Sense,
    is_write_protected,
    parse_capacity,
    parse_device_id,
    parse_inquiry,
    parse_port_groups,
    parse_unit_serial,
    read_block,
)
from lunmapd.initiator.connection import CommandFailedError, PortalConnection, ProbeConnectionError
from lunmapd.initiator.libiscsi import RESERVATION_CONFLICT

_ATTEMPTS = 5
"""A session begins with unit attentions, each of which makes one command fail (SAM-5, 5.14)."""

_T = TypeVar("_T")


class LunInterruptedError(ProbeConnectionError):
    """The connection ended at a command; `answer` is what the LUN answered before."""

    def __init__(self, command: str, why: str, answer: LunAnswer) -> None:
        self.answer = answer
        super().__init__(f"{command}: {why}")


def send(connection: PortalConnection, lun: int, command: ScsiCommand) -> bytes:
    """Send a command, again after a unit attention. Raises as `PortalConnection.command` does."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return connection.command(lun, command)
        except CommandFailedError as error:
            if error.sense is None or error.sense.key != UNIT_ATTENTION:
                raise
    return connection.command(lun, command)


def ask_lun(connection: PortalConnection, number: int, *, reads: bool) -> LunAnswer:
    """Ask a LUN all that its state allows; with `reads` also read its first and last block.

    Raises LunInterruptedError.
    """
    return _LunQuestions(connection, number).ask(reads=reads)


class _LunQuestions:
    """The commands to one LUN, which fail one by one."""

    def __init__(self, connection: PortalConnection, number: int) -> None:
        self._connection = connection
        self._number = number
        self._failures: dict[str, str] = {}
        self._reserved = False

    def ask(self, *, reads: bool) -> LunAnswer:
        inquiry = self._get(INQUIRY, parse_inquiry)
        if inquiry is None or not inquiry.connected:
            return LunAnswer(inquiry=inquiry, failures=self._failures)
        serial = self._get(UNIT_SERIAL, parse_unit_serial)
        device_id = self._get(DEVICE_ID, parse_device_id)
        port_groups = self._get(REPORT_PORT_GROUPS, parse_port_groups)
        is_tested, not_ready = self._test_ready()
        # In standby LIO answers READ CAPACITY, in unavailable it does not (core_alua_state_standby and
        # core_alua_state_unavailable in drivers/target/target_core_alua.c).
        has_capacity = not_ready in {None, Sense(NOT_READY, ALUA_STANDBY)}
        capacity = self._get(READ_CAPACITY, parse_capacity) if has_capacity else None
        read_only = self._get(MODE_SENSE, is_write_protected) if not_ready is None else None
        is_read = self._read(capacity) if reads and not_ready is None and capacity is not None else None
        return LunAnswer(
            is_tested=is_tested,
            not_ready=not_ready,
            inquiry=inquiry,
            serial=serial,
            device_id=device_id,
            capacity=capacity,
            port_groups=port_groups,
            read_only=read_only,
            is_read=is_read,
            is_reserved=self._reserved,
            failures=self._failures,
        )

    def _get(self, command: ScsiCommand, parse: Callable[[bytes], _T]) -> _T | None:
        """Send a command and parse its data; None if either failed."""
        try:
            return parse(self._send(command))
        except CommandFailedError as error:
            if error.status == RESERVATION_CONFLICT:
                self._reserved = True
            else:
                self._failures[command.name] = str(error)
        except MalformedDataError as error:
            self._failures[command.name] = str(error)
        return None

    def _send(self, command: ScsiCommand) -> bytes:
        try:
            return send(self._connection, self._number, command)
        except ProbeConnectionError as error:
            answer = LunAnswer(failures={**self._failures, command.name: str(error)})
            raise LunInterruptedError(command.name, str(error), answer) from None

    def _test_ready(self) -> tuple[bool, Sense | None]:
        """Return whether TEST UNIT READY was answered, and the reason if the LUN is not ready."""
        try:
            self._send(TEST_UNIT_READY)
        except CommandFailedError as error:
            if error.sense is not None:
                return True, error.sense
            if error.status == RESERVATION_CONFLICT:
                self._reserved = True
            else:
                self._failures[TEST_UNIT_READY.name] = str(error)
            return False, None
        return True, None

    def _read(self, capacity: Capacity) -> bool | None:
        """Read the first and the last block; None if another initiator has reserved the LUN."""
        for address in dict.fromkeys((0, capacity.blocks - 1)):
            if self._get(read_block(address, capacity.block_size), bool) is None:
                return None if self._reserved else False
        return True
