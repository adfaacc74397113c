"""The SCSI commands of the probe, which all only read, and what their data mean (SPC-4, SBC-3).

Each parser takes the whole buffer of a command, whose end is zeros if the data were shorter, and raises
MalformedDataError for data that no device may return.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import AluaState

UNIT_ATTENTION = 0x6
NOT_READY = 0x2
ALUA_STANDBY, ALUA_UNAVAILABLE = 0x040B, 0x040C
"""The additional sense codes of a path that is in standby or unavailable (SPC-4, annex D)."""

_SERIAL_PAGE, _DEVICE_PAGE = 0x80, 0x83
_MAX_LUNS = 16384
_LUN_BITS = 0x3FFF
_WRITE_PROTECTED = 0x80
_STATES: Mapping[int, AluaState] = {
    0x0: AluaState.OPTIMIZED,
    0x1: AluaState.NON_OPTIMIZED,
    0x2: AluaState.STANDBY,
    0x3: AluaState.UNAVAILABLE,
}


class MalformedDataError(LunmapdError):
    """A device returned data that break the standard; the text says where."""


class ScsiCommand(Struct, frozen=True):
    """A command that reads at most `length` bytes; `name` is that of the standard."""

    name: str
    cdb: bytes
    length: int = 0


class Sense(Struct, frozen=True):
    """Why a command failed: sense key, and additional sense code with its qualifier in the low byte."""

    key: int
    code: int

    def __str__(self) -> str:
        return f"sense {self.key:x}/{self.code >> 8:02x}/{self.code & 0xFF:02x}"


class Inquiry(Struct, frozen=True):
    """What a device is: `connected` if the LUN leads to a device, vendor and product without padding."""

    connected: bool
    vendor: str
    product: str


class DeviceId(Struct, frozen=True):
    """VPD page 83h: the NAA identifiers in hex, and the ids of the path's target port and its group."""

    naa: tuple[str, ...] = ()
    relative_port: int | None = None
    port_group: int | None = None


class Capacity(Struct, frozen=True):
    """The number of blocks, and the bytes of each."""

    blocks: int
    block_size: int

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.blocks * self.block_size


class PortGroup(Struct, frozen=True):
    """The ALUA state of a target port group, None for a state that a map can't have; the preferred bit."""

    state: AluaState | None
    preferred: bool


def _inquiry(page: int, length: int) -> bytes:
    return bytes((0x12, bool(page), page)) + length.to_bytes(2) + bytes(1)


TEST_UNIT_READY = ScsiCommand("TEST UNIT READY", bytes(6))
INQUIRY = ScsiCommand("INQUIRY", _inquiry(0, 255), 255)
UNIT_SERIAL = ScsiCommand("INQUIRY 80h", _inquiry(_SERIAL_PAGE, 512), 512)
DEVICE_ID = ScsiCommand("INQUIRY 83h", _inquiry(_DEVICE_PAGE, 4096), 4096)
MODE_SENSE = ScsiCommand("MODE SENSE", bytes((0x1A, 0x08, 0x3F, 0x00, 0xFF, 0x00)), 255)
READ_CAPACITY = ScsiCommand(
    "READ CAPACITY(16)", bytes((0x9E, 0x10)) + bytes(8) + (32).to_bytes(4) + bytes(2), 32
)
REPORT_PORT_GROUPS = ScsiCommand(
    "REPORT TARGET PORT GROUPS", bytes((0xA3, 0x0A)) + bytes(4) + (4096).to_bytes(4) + bytes(2), 4096
)
REPORT_LUNS = ScsiCommand(
    "REPORT LUNS",
    bytes((0xA0, 0, 0, 0, 0, 0)) + (8 + 8 * _MAX_LUNS).to_bytes(4) + bytes(2),
    8 + 8 * _MAX_LUNS,
)


def read_block(address: int, block_size: int) -> ScsiCommand:
    """Return the command that reads one block."""
    return ScsiCommand(
        "READ(16)", bytes((0x88, 0)) + address.to_bytes(8) + (1).to_bytes(4) + bytes(2), block_size
    )


def parse_inquiry(data: bytes) -> Inquiry:
    """Parse the standard INQUIRY data (SPC-4, 6.6.2)."""
    return Inquiry(data[0] >> 5 == 0, _text(data[8:16]), _text(data[16:32]))


def parse_unit_serial(data: bytes) -> str:
    """Parse VPD page 80h (SPC-4, 7.8.17)."""
    return _text(_page(data, _SERIAL_PAGE))


def parse_device_id(data: bytes) -> DeviceId:
    """Parse VPD page 83h (SPC-4, 7.8.6): designators of the device, and of the target port that answers."""
    naa, ports, groups = list[str](), list[int](), list[int]()
    for association, kind, value in _designators(_page(data, _DEVICE_PAGE)):
        match association, kind:
            case 0, 3:
                naa.append(value.hex())
            case 1, 4:
                ports.append(int.from_bytes(value[2:4]))
            case 1, 5:
                groups.append(int.from_bytes(value[2:4]))
            case _:
                pass
    return DeviceId(tuple(naa), next(iter(ports), None), next(iter(groups), None))


def _designators(page: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield association, type and value of each designator."""
    while page:
        length = 4 + page[3] if len(page) >= 4 else len(page) + 1  # noqa: PLR2004 - the header
        if length > len(page):
            raise MalformedDataError("a designator of VPD page 83h is longer than the page")
        yield page[1] >> 4 & 0x3, page[1] & 0xF, page[4:length]
        page = page[length:]


def _page(data: bytes, code: int) -> bytes:
    """Return the content of a VPD page."""
    length = int.from_bytes(data[2:4])
    if data[1] != code or length > len(data) - 4:
        raise MalformedDataError(f"the data are not VPD page {code:02x}h, or are longer than it may be")
    return data[4 : 4 + length]


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace").strip(" \0")


def parse_capacity(data: bytes) -> Capacity:
    """Parse the data of READ CAPACITY(16) (SBC-3, 5.16.2)."""
    block_size = int.from_bytes(data[8:12])
    if not block_size:
        raise MalformedDataError("READ CAPACITY(16) returned a block size of 0")
    return Capacity(int.from_bytes(data[:8]) + 1, block_size)


def parse_port_groups(data: bytes) -> dict[int, PortGroup]:
    """Parse the data of REPORT TARGET PORT GROUPS (SPC-4, 6.37) into groups by their id."""
    rest = data[4 : 4 + int.from_bytes(data[:4])]
    groups: dict[int, PortGroup] = {}
    while rest:
        length = 8 + 4 * rest[7] if len(rest) >= 8 else len(rest) + 1  # noqa: PLR2004 - the header
        if length > len(rest):
            raise MalformedDataError("a group of REPORT TARGET PORT GROUPS is longer than the data")
        groups[int.from_bytes(rest[2:4])] = PortGroup(_STATES.get(rest[0] & 0xF), bool(rest[0] & 0x80))
        rest = rest[length:]
    return groups


def parse_luns(data: bytes) -> frozenset[int]:
    """Parse the data of REPORT LUNS (SPC-4, 6.33) into LUN numbers.

    LIO reports a number as it is in the first two bytes (drivers/target/target_core_spc.c,
    spc_emulate_report_luns, with int_to_scsilun).
    """
    rest = data[8 : 8 + int.from_bytes(data[:4])]
    return frozenset(int.from_bytes(rest[at : at + 2]) & _LUN_BITS for at in range(0, len(rest), 8))


def is_write_protected(data: bytes) -> bool:
    """Return the WP bit of the data of MODE SENSE(6) (SBC-3, 6.4.1)."""
    return bool(data[2] & _WRITE_PROTECTED)
