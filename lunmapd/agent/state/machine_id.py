"""Who this machine is: the two ids that the kernel and systemd give it."""

from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError

MACHINE_ID = Path("/etc/machine-id")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MachineId(Struct, frozen=True):
    """`machine` stays for the life of an installation (machine-id(5)), `boot` for one boot of its kernel."""

    machine: str
    boot: str


class NoMachineIdError(LunmapdError):
    """The machine has no id, so nobody could tell two nodes of one name apart."""


def read_machine_id(machine: Path = MACHINE_ID, boot: Path = BOOT_ID) -> MachineId:
    """Read both ids. Raises NoMachineIdError."""
    try:
        identity = MachineId(machine.read_text().strip(), boot.read_text().strip())
    except OSError as error:
        raise NoMachineIdError(
            f"can't read the machine's id: {error}; run systemd-machine-id-setup"
        ) from error
    if not identity.machine:
        raise NoMachineIdError(f"{machine} is empty; run systemd-machine-id-setup")
    return identity
