"""The bare price: plain system calls on configfs, in the order that is fastest, without any check.

It makes the same objects as lunmapd from the map of `shape.py`, with the same attributes.
"""

import os
from collections.abc import Iterable

from bench.guest.shape import SIZE, TAG, TARGET, Shape, host, name, path, serial

ROOT = "/sys/kernel/config/target"
TPG = f"{ROOT}/iscsi/{TARGET}/tpgt_{TAG}"
_FIRST = 10_000
_READ = (
    "alias", "info", "wwn/vpd_unit_serial", "attrib/emulate_3pc", "attrib/emulate_caw", "attrib/emulate_pr",
    "attrib/emulate_write_cache", "alua/default_tg_pt_gp/alua_access_state",
    "alua/default_tg_pt_gp/preferred", "alua/default_tg_pt_gp/alua_access_type",
)  # fmt: skip


def write(where: str, text: str) -> None:
    """Write one attribute."""
    descriptor = os.open(where, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def build(shape: Shape) -> None:
    """Make everything."""
    _storage_objects(range(shape.luns))
    _group()
    for number in range(shape.luns):
        add_lun(number)
    for initiator in range(shape.initiators):
        os.mkdir(f"{TPG}/acls/{host(initiator)}")
        for number in range(shape.luns):
            add_map(initiator, number)
    write(f"{TPG}/attrib/prod_mode_write_protect", "1")
    os.mkdir(f"{TPG}/np/127.0.0.1:3260")
    write(f"{TPG}/rtpi", str(TAG))
    write(f"{TPG}/enable", "1")


def _storage_objects(numbers: Iterable[int]) -> None:
    for number in numbers:
        add_storage_object(number)


def add_storage_object(number: int) -> None:
    """Make one storage object."""
    hba = f"{ROOT}/core/fileio_{_FIRST + number}"
    device = f"{hba}/{name(number)}"
    os.mkdir(hba)
    os.mkdir(device)
    write(f"{device}/control", f"fd_dev_name={path(number)},fd_dev_size={SIZE}")
    write(f"{device}/udev_path", path(number))
    write(f"{device}/enable", "1")
    write(f"{device}/alua/default_tg_pt_gp/alua_access_type", "1")
    write(f"{device}/wwn/vpd_unit_serial", serial(number))


def add_lun(number: int) -> None:
    """Export a storage object."""
    os.mkdir(f"{TPG}/lun/lun_{number}")
    os.symlink(f"{ROOT}/core/fileio_{_FIRST + number}/{name(number)}", f"{TPG}/lun/lun_{number}/lunmapd")


def add_map(initiator: int, number: int) -> None:
    """Map a LUN; it is read-write from the start, as long as the TPG's prod_mode_write_protect is 0."""
    directory = f"{TPG}/acls/{host(initiator)}/lun_{number}"
    os.mkdir(directory)
    os.symlink(f"{TPG}/lun/lun_{number}", f"{directory}/lunmapd")


def add(number: int) -> None:
    """Make one LUN that one initiator sees, and read it back."""
    add_storage_object(number)
    add_lun(number)
    add_map(0, number)
    _read_back(number)


def change(number: int) -> None:
    """Change one attribute of a LUN, and read the LUN back."""
    write(f"{_device(number)}/attrib/emulate_tpu", "1")
    _read_back(number)


def remove(number: int) -> None:
    """Remove a LUN that one initiator sees, and see that it is gone."""
    device, mapped = _device(number), f"{TPG}/acls/{host(0)}/lun_{number}"
    for where in (mapped, f"{TPG}/lun/lun_{number}"):
        os.unlink(f"{where}/lunmapd")
        os.rmdir(where)
    for where in (device, os.path.dirname(device)):
        os.rmdir(where)
    assert not os.path.exists(os.path.dirname(device))


def _device(number: int) -> str:
    return f"{ROOT}/core/fileio_{_FIRST + number}/{name(number)}"


def _read_back(number: int) -> None:
    for file in _READ:
        _read(f"{_device(number)}/{file}")
    os.readlink(f"{TPG}/lun/lun_{number}/lunmapd")
    _read_map(f"{TPG}/acls/{host(0)}/lun_{number}")


def _group() -> None:
    os.mkdir(f"{ROOT}/iscsi/{TARGET}")
    os.mkdir(TPG)
    write(f"{TPG}/param/TargetAlias", "lunmapd")
    for attribute, value in (
        ("cache_dynamic_acls", "0"),
        ("demo_mode_discovery", "0"),
        ("authentication", "0"),
    ):
        write(f"{TPG}/attrib/{attribute}", value)


def read() -> None:
    """Read the files and links that a pass of lunmapd reads."""
    for hba in directories(f"{ROOT}/core"):
        for device in directories(f"{ROOT}/core/{hba}") if "_" in hba else ():
            for file in _READ:
                _read(f"{ROOT}/core/{hba}/{device}/{file}")
    for lun in directories(f"{TPG}/lun"):
        os.readlink(f"{TPG}/lun/{lun}/lunmapd")
    for acl in directories(f"{TPG}/acls"):
        for directory in directories(f"{TPG}/acls/{acl}"):
            if directory.startswith("lun_"):
                _read_map(f"{TPG}/acls/{acl}/{directory}")


def _read_map(directory: str) -> None:
    os.readlink(f"{directory}/lunmapd")
    _read(f"{directory}/write_protect")


def _read(where: str) -> bytes:
    descriptor = os.open(where, os.O_RDONLY)
    text = os.read(descriptor, 4096)
    os.close(descriptor)
    return text


def directories(path: str) -> list[str]:
    """List the directories in a directory."""
    with os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
