"""Adoption on a kernel: every file that can be written below a foreign target, in turn."""

import json
from pathlib import Path
from typing import Any

import pytest

from contract.guests import run_guest
from contract.implementations import RealImplementation
from lab import Machine
from lunmapd.core.base.attributes import TPG_ELSEWHERE
from lunmapd.core.base.backings import PLUGINS

pytestmark = pytest.mark.kernel

# lunmapd sets them itself; taking over lists them, except for the access type, which no initiator notices.
_GOVERNED = {*TPG_ELSEWHERE, *PLUGINS["fileio"].governed, "alua_access_type"}
_MIN_CHANGED = 80


@pytest.fixture(scope="module")
def changes(machine: Machine) -> dict[str, Any]:
    """Return what adoption makes of a target at the kernel's defaults, and of each change of one file."""
    RealImplementation(machine).close()
    made: dict[str, Any] = json.loads(run_guest(machine, "adopt_guest.py"))
    return made


def test_a_target_at_the_kernels_defaults_is_adopted(changes: dict[str, Any]) -> None:
    """None of the defaults is a reason, and those of files and memory are not in the map."""
    assert changes["refused"] == {}
    assert (changes["attributes"]["disk0"], changes["attributes"]["disk2"]) == ({}, {})


def test_no_file_of_a_target_is_lost_in_silence(changes: dict[str, Any]) -> None:
    """Each file that takes another value is in the map, or is a reason to leave the target alone."""
    assert changes["changed"] > _MIN_CHANGED
    assert [file for file in changes["lost"] if file.rpartition("/")[2] not in _GOVERNED] == []


def test_a_read_only_storage_object_stays_read_only(changes: dict[str, Any]) -> None:
    """Its maps are read-only, also where its mapped LUN is writable in LIO."""
    assert changes["access"] == {"disk0": "rw", "disk1": "ro", "disk2": "rw"}


def test_a_storage_object_of_another_fabric_is_left_alone(changes: dict[str, Any]) -> None:
    """A loopback target is named, and the iSCSI target that shares its storage object is not adopted."""
    loop = "loopback naa.5001405b7d2a8f1e"
    assert changes["shared"][loop].startswith("lunmapd serves iSCSI targets only")
    assert f"it shares disk0 with {loop}" in changes["shared"]["iqn.2020-01.org.example:theirs"]


def test_a_scsi_device_and_a_programs_device_are_adopted(machine: Machine) -> None:
    """The plan is empty, also after lunmapd has removed and made them again, as a boot does."""
    RealImplementation(machine).close()
    machine.run(
        "modprobe -a target_core_pscsi target_core_user sd_mod; modprobe scsi_debug dev_size_mb=8; "
        "until [ -b /dev/sda ]; do sleep 0.1; done"
    )
    script = Path(__file__).with_name("adopt_devices_guest.py").read_text(encoding="utf-8")
    made = json.loads(machine.run("python3 -W ignore -", input=script).stdout)
    assert (made["refused"], made["backings"]) == ({}, {"disk": "Pscsi", "program": "User"})
    assert made["before"] == made["settled"]
    assert [step.split(":")[0] for step in made["before"]] == ["update tpg iqn.2020-01.org.example"]
    assert made["after"] == []


def test_rtslib_restores_an_exported_node(machine: Machine) -> None:
    """The exported file, restored as targetctl does, is adopted as the map that it was made of."""
    RealImplementation(machine).close()
    made = json.loads(run_guest(machine, "export_guest.py"))
    assert (made["failures"], made["losses"], made["errors"], made["refused"], made["notes"]) == (
        0,
        [],
        [],
        {},
        [],
    )
    assert (made["luns"], made["others"], made["targets"]) == ([], [], True)
    assert made["passwords"] == ["password of bob"]
