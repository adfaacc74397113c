"""The data of the probe's commands."""

import pytest

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.probe import scsi
from lunmapd.core.probe.scsi import Capacity, DeviceId, Inquiry, MalformedDataError, PortGroup, Sense
from support.probing import designator, vpd

NAA = bytes.fromhex("60014053f1d6c1e00014f0b9f3e7a51c")
COMMANDS = (
    scsi.TEST_UNIT_READY,
    scsi.INQUIRY,
    scsi.UNIT_SERIAL,
    scsi.DEVICE_ID,
    scsi.MODE_SENSE,
    scsi.READ_CAPACITY,
    scsi.REPORT_PORT_GROUPS,
    scsi.REPORT_LUNS,
    scsi.read_block(1 << 40, 4096),
)
READING = {0x00, 0x12, 0x1A, 0x88, 0x9E, 0xA0, 0xA3}
"""TEST UNIT READY, INQUIRY, MODE SENSE(6), READ(16), SERVICE ACTION IN(16), REPORT LUNS, MAINTENANCE IN."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_only_reads(command: scsi.ScsiCommand) -> None:
    """No operation code is one that writes, and each CDB has the length of its group (SPC-4, 4.2.5)."""
    assert command.cdb[0] in READING
    assert len(command.cdb) == {0: 6, 4: 16, 5: 12}[command.cdb[0] >> 5]


def test_the_service_actions_are_those_that_read() -> None:
    """The two commands with a service action are READ CAPACITY(16) and REPORT TARGET PORT GROUPS."""
    assert scsi.READ_CAPACITY.cdb[1] & 0x1F == 0x10
    assert scsi.REPORT_PORT_GROUPS.cdb[1] & 0x1F == 0x0A


def test_a_read_names_one_block() -> None:
    """READ(16) has the address and a length of one block, and asks for the bytes of a block."""
    command = scsi.read_block(0x123456789, 4096)
    assert (command.cdb[2:10].hex(), command.cdb[10:14].hex(), command.length) == (
        "0000000123456789",
        "00000001",
        4096,
    )


def test_standard_inquiry() -> None:
    """Vendor and product lose their padding; a qualifier other than 0 means that there is no device."""
    data = bytes((0x00, *(0 for _ in range(7)))) + b"LIO-ORG IBLOCK          4.0 " + bytes(10)
    assert scsi.parse_inquiry(data) == Inquiry(connected=True, vendor="LIO-ORG", product="IBLOCK")
    assert not scsi.parse_inquiry(b"\x3f" + data[1:]).connected
    assert not scsi.parse_inquiry(b"\x20" + data[1:]).connected


def test_unit_serial() -> None:
    """The serial ends with the page."""
    assert scsi.parse_unit_serial(vpd(0x80, b"3f1d6c1e") + b"more") == "3f1d6c1e"


@pytest.mark.parametrize("data", [vpd(0x83, b"1"), bytes((0, 0x80, 0xFF, 0xFF, 1))])
def test_a_wrong_page_is_refused(data: bytes) -> None:
    """Another page, or one that is longer than the data, is malformed."""
    with pytest.raises(MalformedDataError, match="80h"):
        scsi.parse_unit_serial(data)


def test_device_id() -> None:
    """The NAA of the device, and port and group of the path, are picked from the designators of LIO."""
    page = vpd(
        0x83,
        designator(0, 3, NAA)
        + designator(0, 1, b"LIO-ORG IBLOCK:x")
        + designator(1, 4, bytes((0, 0, 0, 7)))
        + designator(1, 5, bytes((0, 0, 0, 2)))
        + designator(1, 6, bytes(4))
        + designator(2, 8, b"iqn.x\0"),
    )
    assert scsi.parse_device_id(page) == DeviceId((NAA.hex(),), 7, 2)
    assert scsi.parse_device_id(vpd(0x83, b"")) == DeviceId()


@pytest.mark.parametrize("content", [b"\x01\x03", b"\x01\x03\x00\x10abc"])
def test_a_long_designator_is_refused(content: bytes) -> None:
    """A designator that is longer than its page is malformed."""
    with pytest.raises(MalformedDataError, match="designator"):
        scsi.parse_device_id(vpd(0x83, content))


def test_capacity() -> None:
    """The size is one block more than the last address says; blocks of no bytes are malformed."""
    assert scsi.parse_capacity((131071).to_bytes(8) + (512).to_bytes(4)) == Capacity(131072, 512)
    assert Capacity(131072, 512).size == 64 << 20
    with pytest.raises(MalformedDataError, match="block size"):
        scsi.parse_capacity(bytes(32))


def test_port_groups() -> None:
    """Each group has a state and the preferred bit; states that a map can't have are None."""
    group = bytes((0x80, 0x0F, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9)) + bytes((0x0F, 0, 0, 3, 0, 0, 0, 0))
    data = len(group).to_bytes(4) + group + bytes(8)
    assert scsi.parse_port_groups(data) == {
        2: PortGroup(AluaState.OPTIMIZED, preferred=True),
        3: PortGroup(None, preferred=False),
    }


@pytest.mark.parametrize("group", [bytes(4), bytes((0, 0, 0, 1, 0, 0, 0, 9))])
def test_a_long_group_is_refused(group: bytes) -> None:
    """A group that is longer than the data is malformed."""
    with pytest.raises(MalformedDataError, match="group"):
        scsi.parse_port_groups(len(group).to_bytes(4) + group)


def test_lun_numbers() -> None:
    """LIO's numbers above 255 are read as LIO writes them, and those with flat addressing too."""
    luns = (bytes(8), bytes((0, 7)) + bytes(6), bytes((1, 0x2C)) + bytes(6), bytes((0x41, 0x2D)) + bytes(6))
    assert scsi.parse_luns((32).to_bytes(4) + bytes(4) + b"".join(luns) + bytes(16)) == {0, 7, 300, 301}


def test_write_protection() -> None:
    """It is the highest bit of the device-specific parameter."""
    assert scsi.is_write_protected(bytes((0, 0, 0x80)))
    assert not scsi.is_write_protected(bytes((0, 0, 0x10)))


def test_sense_in_words() -> None:
    """A sense is shown as key, code and qualifier in hex."""
    assert str(Sense(2, scsi.ALUA_STANDBY)) == "sense 2/04/0b"
