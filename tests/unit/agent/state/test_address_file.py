"""The address file: what survives a restart, and what a damaged or unwritable file means."""

from pathlib import Path

import pytest

from lunmapd.agent.state.address_file import ADDRESS_FILE, AddressFile, AddressFileDamagedError
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node.observed import SessionCounters
from lunmapd.core.planning.former import Former, HolderRecord
from lunmapd.core.planning.hosts import Hosts, Interval, SessionId, TargetHost

T, H, G = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:g"
RECORD = HolderRecord(
    3,
    {LunAddress(T, H, 5): (Former("x", "1", 4),)},
    Hosts(
        {TargetHost(T, H): frozenset({"0x1"})},
        {
            T: Interval(
                SessionCounters(7, 1, 0, 0, 1),
                frozenset({SessionId(H, "0x1", 1)}),
                frozenset({SessionId(H, "0x2", 2)}),
                frozenset({H, G}),
            )
        },
        frozenset({T}),
        frozenset({TargetHost("iqn.2026-01.org.example:u", G)}),
    ),
)


def test_a_restart_of_the_daemon_loses_nothing(tmp_path: Path) -> None:
    """The file has all of the record."""
    assert AddressFile(tmp_path, "boot").load() is None
    assert AddressFile(tmp_path, "boot").save(RECORD)
    assert AddressFile(tmp_path, "boot").load() == RECORD


def test_a_reboot_of_the_node_ends_the_intervals(tmp_path: Path) -> None:
    """What happened at their end is not known, so every initiator with an ACL may hold its devices."""
    AddressFile(tmp_path, "boot").save(RECORD)
    record = AddressFile(tmp_path, "another boot").load()
    assert record is not None
    assert (record.since, record.former, record.hosts.intervals) == (3, RECORD.former, {})
    assert record.hosts.may_hold(T, G)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format": 2, "boot": "b", "since": 1}'])
def test_a_damaged_file_is_reported(tmp_path: Path, content: bytes) -> None:
    """A node that can't read it knows nothing, which is another thing than a node without a file."""
    (tmp_path / ADDRESS_FILE).write_bytes(content)
    with pytest.raises(AddressFileDamagedError, match=ADDRESS_FILE):
        AddressFile(tmp_path, "b").load()


def test_a_record_that_can_not_be_written_leaves_none(tmp_path: Path) -> None:
    """After a restart the node then knows that it remembers nothing. The next write ends the problem."""
    file = AddressFile(tmp_path, "boot")
    assert file.save(RECORD)
    blocked = tmp_path / f"{ADDRESS_FILE}.new"
    blocked.mkdir()
    assert not file.save(HolderRecord(4))
    assert file.problem
    assert not (tmp_path / ADDRESS_FILE).exists()
    blocked.rmdir()
    assert file.save(HolderRecord(4))
    assert not file.problem
