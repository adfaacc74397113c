"""The only importer of rtslib: its objects, made so that none of them scans and none changes a name.

rtslib keeps LIO's names, checks and life cycles. Where a class lists everything for each object, or knows fewer
names than the kernel, that one step is replaced here; the contract tests on a real kernel pin each of them.
Supports rtslib-fb 2.1.75, 2.1.76 and 2.2: the package `rtslib_fb` is in all of them.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from rtslib_fb import TPG, FabricModule, MappedLUN, NetworkPortal, NodeACL, RTSRoot, Target, utils
from rtslib_fb.node import CFSNode
from rtslib_fb.tcm import (
    BlockStorageObject,
    FileIOStorageObject,
    PSCSIStorageObject,
    RDMCPStorageObject,
    StorageObject,
    UserBackedStorageObject,
)
from rtslib_fb.utils import RTSLibError

from lunmapd.core.base.names import MAX_LUN_NUMBER
from lunmapd.core.node import lio_objects

Mode = Literal["create", "lookup"]
RtsError = RTSLibError
ConfigfsNode = CFSNode
ROOT = Path(CFSNode.configfs_dir)
PREFERRED_DATABASE = Path(RTSRoot._preferred_dbroot)  # noqa: SLF001 - RTSRoot() raises unless this directory exists

# 2.2 renamed the exception.
_names = vars(utils)
NotInConfigfs: type[RTSLibError] = _names.get("RTSLibNotInCFSError") or _names["RTSLibNotInCFS"]


class _Target(Target):
    """A target by exactly its name: rtslib turns naa.6 into naa.5 and refuses iqn.2020-01.local."""

    def __init__(self, iqn: str, mode: Mode) -> None:
        CFSNode.__init__(self)
        self.fabric_module = FabricModule("iscsi")
        self.wwn, self.wwn_type = iqn, iqn.partition(".")[0]
        self._path = f"{self.fabric_module.path}/{iqn}"
        self._create_in_cfs_ine(mode)


class _Acl(NodeACL):
    """A node ACL by exactly its name, as for _Target."""

    def __init__(self, parent: TPG, initiator: str, mode: Mode) -> None:
        CFSNode.__init__(self)
        self._parent_tpg = parent
        self._node_wwn, self.wwn_type = initiator, initiator.partition(".")[0]
        self._path = f"{parent.path}/acls/{initiator}"
        self._create_in_cfs_ine(mode)


class _MappedLun(MappedLUN):
    """A mapped LUN whose number may be above the 255 of rtslib 2.1.75; the kernel takes all of SAM's."""

    MAX_LUN = MAX_LUN_NUMBER


def database_directory() -> Path:
    """Return LIO's database directory; rtslib moves it to the preferred one as long as there is no storage object."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Path(RTSRoot().dbroot)


def open_fabric() -> FabricModule:
    """Return iSCSI as a whole, which has what discovery asks for."""
    return FabricModule("iscsi")


def open_target(iqn: str, mode: Mode) -> Target:
    """Make or find a target. All of these raise Error, and NotInConfigfs for what is not there."""
    return _Target(iqn, mode)


def open_tpg(iqn: str, tag: int, mode: Mode) -> TPG:
    """Make or find a TPG."""
    return TPG(_Target(iqn, "lookup"), tag, mode)


def open_acl(iqn: str, tag: int, initiator: str, mode: Mode) -> NodeACL:
    """Make or find the ACL of an initiator."""
    return _Acl(open_tpg(iqn, tag, "lookup"), initiator, mode)


def open_portal(item: lio_objects.Portal, mode: Mode) -> NetworkPortal:
    """Make or find a portal."""
    address, _, port = item.address.rpartition(":")
    return NetworkPortal(open_tpg(item.iqn, item.tag, "lookup"), address, int(port), mode)


def open_mapped_lun(item: lio_objects.MappedLun) -> MappedLUN:
    """Find a mapped LUN."""
    return _MappedLun(open_acl(item.iqn, item.tag, item.initiator, "lookup"), item.lun)


def create_with_rtslib(item: lio_objects.StorageObject, index: int) -> str:
    """Make a storage object in an HBA of its own; returns its directory. The serial is the last thing written.

    Those of files and block devices are made in lean.py.
    """
    match item.plugin:
        case "rd_mcp":
            return str(RDMCPStorageObject(item.name, item.size, item.serial, index=index).path)
        case "user":
            return str(
                UserBackedStorageObject(item.name, item.path, item.size, item.serial, index=index).path
            )
        case "pscsi":
            return str(PSCSIStorageObject(item.name, item.path, index).path)
        case _:
            raise AssertionError(item)


def is_disk(path: str) -> bool:
    """Tell whether a block device is of the type TYPE_DISK, which alone may be an iblock."""
    return utils.get_blockdev_type(path) == 0


@cache
def _reservations_directory() -> Path:
    return database_directory() / "pr"


def restore_reservations(item: lio_objects.StorageObject, index: int) -> None:
    """Give the kernel the reservations that an initiator asked to have kept through a power loss (APTPL), if there are any."""
    if (_reservations_directory() / f"aptpl_{item.serial}").exists():
        open_storage_object(item.plugin, item.name, index)._config_pr_aptpl()  # noqa: SLF001 - rtslib knows the format


_CLASSES: Mapping[str, Callable[..., StorageObject]] = {
    "fileio": FileIOStorageObject,
    "iblock": BlockStorageObject,
    "rd_mcp": RDMCPStorageObject,
    "pscsi": PSCSIStorageObject,
    "user": UserBackedStorageObject,
}


def open_storage_object(plugin: str, name: str, index: int) -> StorageObject:
    """Find a storage object. Its delete() doesn't look for LUNs: the kernel refuses (EBUSY) while it is exported."""
    found = _CLASSES[plugin](name, index=index)
    found._gen_attached_luns = lambda: iter(())  # noqa: SLF001 - listing every LUN of every target is quadratic
    return found


def resize_file(item: lio_objects.StorageObject, index: int) -> None:
    """Set the size of a file in place; LIO takes it while exported, rtslib has no call for it."""
    open_storage_object(item.plugin, item.name, index)._control(f"fd_dev_size={item.size}")  # noqa: SLF001


def remove_alone(node: CFSNode) -> None:
    """Remove the object alone: the delete() of rtslib's classes would take along what the plan did not name."""
    CFSNode.delete(node)
