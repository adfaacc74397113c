"""The ids of this machine: that of its installation and that of its boot."""

from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError

MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MachineId(Struct, frozen=True):
    """`machine` lasts as long as the installation (machine-id(5)), `boot` as long as one boot."""

    machine: str
    boot: str


class NoMachineIdError(LunmapdError):
    """The machine has no id, so two machines with one node name can't be distinguished."""


def read_machine_id(machine: Path = MACHINE_ID, boot: Path = BOOT_ID) -> MachineId:
    """Read both ids. Raises NoMachineIdError."""
    try:
        ids = MachineId(machine.read_text().strip(), boot.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise NoMachineIdError(
            f"can't read the machine's id: {error}; run systemd-machine-id-setup"
        ) from error
    if not ids.machine:
        raise NoMachineIdError(f"{machine} is empty; run systemd-machine-id-setup")
    return ids
