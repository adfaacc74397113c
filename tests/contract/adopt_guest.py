"""Runs in the machine: changes each file of a foreign target in turn, and shows what adoption loses."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from contract.settings_guest import ROOT, change, settings
from lunmapd.core.adoption.adopt import Adoption, adopt
from lunmapd.lio.observe.observe_foreign import observe_foreign

IQN, HOST = "iqn.2020-01.org.example:theirs", "iqn.2020-01.org.example:host"
TPG = ROOT / "iscsi" / IQN / "tpgt_1"
ACL = TPG / "acls" / HOST
FILE = Path("/srv/theirs")
DEVICES = {
    "fileio_0/disk0": f"fd_dev_name={FILE},fd_dev_size=1048576",
    "iblock_1/disk1": "udev_path=/dev/disk/lab/d1",
    "rd_mcp_2/disk2": "rd_pages=256",
}
# Notes of tools, a command, and the credentials of an ACL, of which one file alone has no effect.
_NO_SETTINGS = {"alias", "udev_path", "control", "userid", "password", "userid_mutual", "password_mutual"}
_VALUES = ("1", "0", "2", "3", "8", "64", "1024", "65536", "No", "Yes", "None", "CRC32C", "word", "0x6589cf")


def _directories() -> list[Path]:
    """Return the directories below which are the settings."""
    return [*(ROOT / "core" / path for path in DEVICES), TPG]


def make_devices(more: str = "") -> None:
    """Make the storage objects, exported by nobody yet: some files can be written only then.

    `more` is added to the settings of the block device.
    """
    FILE.write_bytes(bytes(1 << 20))
    for number, (path, control) in enumerate(DEVICES.items()):
        device = ROOT / "core" / path
        device.parent.mkdir()
        device.mkdir()
        (device / "control").write_text(control + more if "udev_path" in control else control)
        if "udev_path" in control:
            (device / "udev_path").write_text("/dev/disk/lab/d1")
        (device / "enable").write_text("1")
        (device / "wwn/vpd_unit_serial").write_text(f"{number}b1a4bf4-0d26-4b3c-9f6e-1f2a3b4c5d6e")


def export() -> None:
    """Make the target with all devices."""
    for directory in (TPG.parent, TPG, TPG / "np/127.0.0.1:3260", ACL):
        directory.mkdir()
    for number, path in enumerate(DEVICES):
        lun, mapped = TPG / f"lun/lun_{number}", ACL / f"lun_{number}"
        lun.mkdir()
        (lun / "it").symlink_to(ROOT / "core" / path)
        mapped.mkdir()
        (mapped / "it").symlink_to(lun)
        (mapped / "write_protect").write_text("0")
    (TPG / "attrib/authentication").write_text("0")
    (TPG / "enable").write_text("1")


def remove() -> None:
    """Remove everything."""
    if TPG.exists():
        (TPG / "enable").write_text("0")
        for link in (*ACL.glob("lun_*/it"), *TPG.glob("lun/lun_*/it")):
            link.unlink()
        for directory in (
            *ACL.glob("lun_*"),
            ACL,
            *TPG.glob("lun/lun_*"),
            *TPG.glob("np/*"),
            TPG,
            TPG.parent,
        ):
            directory.rmdir()
    for path in DEVICES:
        (ROOT / "core" / path).rmdir()
        (ROOT / "core" / path).parent.rmdir()


def adopted() -> Adoption:
    """Adopt what runs."""
    return adopt(observe_foreign(ROOT), "n1")


def changes(files: list[Path], base: Adoption) -> Iterator[tuple[str, bool]]:
    """Yield each file that takes another value, and whether adoption notices it."""
    for file in files:
        make_devices()
        of_device = "core" in file.relative_to(ROOT).parts
        changed = change(file, _VALUES) if of_device else False
        export()
        if changed or (not of_device and change(file, _VALUES)):
            made = adopted()
            yield (
                str(file.relative_to(ROOT)),
                IQN in made.refused or made.lunmap != base.lunmap or made.notes != base.notes,
            )
        remove()


make_devices()
export()
BASE, FILES = adopted(), [file for file in settings(_directories()) if file.name not in _NO_SETTINGS]
remove()
SEEN = dict(changes(FILES, BASE))
make_devices(",readonly=1")
export()
READ_ONLY = adopted()
remove()
make_devices()
export()
LOOP = ROOT / "loopback/naa.5001405b7d2a8f1e"
for directory in (LOOP.parent, LOOP, LOOP / "tpgt_1", LOOP / "tpgt_1/lun/lun_0"):
    directory.mkdir()
(LOOP / "tpgt_1/lun/lun_0/it").symlink_to(ROOT / "core/fileio_0/disk0")
SHARED = adopted()
(LOOP / "tpgt_1/lun/lun_0/it").unlink()
for directory in (LOOP / "tpgt_1/lun/lun_0", LOOP / "tpgt_1", LOOP):
    directory.rmdir()
remove()
shown = {
    "refused": dict(BASE.refused),
    "attributes": {name: dict(lun.attributes) for name, lun in BASE.lunmap.luns.items()},
    "changed": len(SEEN),
    "access": {name: lun.maps[0].access for name, lun in READ_ONLY.lunmap.luns.items()},
    "shared": dict(SHARED.refused),
    "lost": sorted(file for file, noticed in SEEN.items() if not noticed),
}
sys.stdout.write(json.dumps(shown))
