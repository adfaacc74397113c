"""The ids of this machine: that of its installation and that of its boot."""

import re
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError
from lunmapd.files import read_regular

MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = re.compile("[0-9a-fA-F]{32}")  # machine-id(5)
_MAX_SIZE = 4096  # bytes; both are 32 hex digits, the second with dashes


class MachineId(Struct, frozen=True):
    """`machine` lasts as long as the installation (machine-id(5)), `boot` as long as one boot."""

    machine: str
    boot: str


class NoMachineIdError(LunmapdError):
    """The machine has no id, so two machines with one node name can't be distinguished."""


def read_machine_id(machine: Path = MACHINE_ID, boot: Path = BOOT_ID) -> MachineId:
    """Read both ids. Raises NoMachineIdError."""
    try:
        ids = MachineId(_read(machine), _read(boot))
    except (OSError, UnicodeDecodeError) as error:
        raise NoMachineIdError(
            f"can't read the machine's id: {error}; run systemd-machine-id-setup"
        ) from error
    if not ids.machine:
        raise NoMachineIdError(f"{machine} is empty; run systemd-machine-id-setup")
    if not _MACHINE.fullmatch(ids.machine):
        raise NoMachineIdError(
            f"{machine} has no id of 32 hexadecimal digits; run 'rm {machine}; systemd-machine-id-setup'"
        )
    return ids


def _read(path: Path) -> str:
    return read_regular(path, _MAX_SIZE).decode().strip()
