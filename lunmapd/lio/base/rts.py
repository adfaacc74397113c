"""The only module that imports rtslib.

Its objects are opened so that none lists configfs and none changes a name.

rtslib has LIO's names, checks and life cycles. Where one of its classes lists all objects for each object, or
accepts fewer names than the kernel, that one step is replaced here; the contract tests hold each replacement
to a real kernel. Supports rtslib-fb 2.1.75, 2.1.76 and 2.2: all of them have the package `rtslib_fb`.

Every `open_` function raises RtsError, and NotInConfigfs if the object is looked up and absent.
"""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

from rtslib_fb import TPG, FabricModule, NodeACL, RTSRoot, Target, utils
from rtslib_fb.node import CFSNode
from rtslib_fb.tcm import (
    PSCSIStorageObject,
    RDMCPStorageObject,
    StorageObject,
    UserBackedStorageObject,
)
from rtslib_fb.utils import RTSLibError

from lunmapd.core.base.backings import PluginName
from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files

Mode = Literal["create", "lookup"]
RtsError = RTSLibError
ROOT = Path(CFSNode.configfs_dir)
_OTHER_DATABASES = ("/etc/target", "/etc/rtslib-fb-target", "/var/target")  # of tools and of the kernel
PREFERRED_DATABASE = Path(RTSRoot._preferred_dbroot)  # noqa: SLF001 - RTSRoot() needs it to exist

# 2.2 renamed the exception.
_names = vars(utils)
NotInConfigfs: type[RTSLibError] = _names.get("RTSLibNotInCFSError") or _names["RTSLibNotInCFS"]


class _Target(Target):
    """A target under exactly its name: rtslib turns naa.6 into naa.5 and refuses iqn.2020-01.local."""

    def __init__(self, iqn: str, mode: Mode) -> None:
        CFSNode.__init__(self)
        self.fabric_module = FabricModule("iscsi")
        self.wwn, self.wwn_type = iqn, iqn.partition(".")[0]
        self._path = f"{self.fabric_module.path}/{iqn}"
        self._create_in_cfs_ine(mode)


class _Acl(NodeACL):
    """A node ACL under exactly its name, as for _Target."""

    def __init__(self, parent: TPG, initiator: str, mode: Mode) -> None:
        CFSNode.__init__(self)
        self._parent_tpg = parent
        self._node_wwn, self.wwn_type = initiator, initiator.partition(".")[0]
        self._path = f"{parent.path}/acls/{initiator}"
        self._create_in_cfs_ine(mode)


def database_directory() -> Path:
    """Return LIO's database directory.

    While there is no storage object, rtslib moves it to PREFERRED_DATABASE.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Path(RTSRoot().dbroot)


@cache
def reservation_directories() -> tuple[Path, ...]:
    """Return the directories that may hold reservation files: first the one that the kernel writes to.

    The others may hold files of earlier boots. The kernel's own can't change while there is a storage object.
    """
    databases = (database_directory(), *(Path(path) for path in _OTHER_DATABASES))
    return tuple(path / "pr" for path in dict.fromkeys(databases))


def open_fabric() -> FabricModule:
    """Return the iSCSI fabric, which has the credentials of discovery."""
    return FabricModule("iscsi")


def open_target(iqn: str, mode: Mode) -> Target:
    """Create or look up a target."""
    return _Target(iqn, mode)


def open_tpg(iqn: str, tag: int, mode: Mode) -> TPG:
    """Create or look up a TPG."""
    return TPG(_Target(iqn, "lookup"), tag, mode)


def open_acl(iqn: str, tag: int, initiator: str, mode: Mode) -> NodeACL:
    """Create or look up the ACL of an initiator."""
    return _Acl(open_tpg(iqn, tag, "lookup"), initiator, mode)


def restore_reservations(device: str, metadata: Iterable[str]) -> None:
    """Restore reservations in the storage object at `device`.

    What the kernel refuses is left out: the Lun is served without it, and the next observation finds that.
    """
    for text in metadata:
        with suppress(OSError):
            files.write_file(f"{device}/pr/res_aptpl_metadata", text)


def _restore_only(storage: StorageObject, metadata: Iterable[str]) -> None:
    """Let an instance of a class of rtslib, before its __init__, restore only these reservations.

    rtslib would restore all that are on the disk. It calls the method after it has written the serial. Its
    tables have the classes themselves, so a subclass is not possible.
    """

    def restore() -> None:
        restore_reservations(storage.path, metadata)

    storage._config_pr_aptpl = restore  # type: ignore[method-assign]  # noqa: SLF001 - see above


def create_with_rtslib(item: lio_objects.StorageObject, index: int, metadata: Iterable[str]) -> str:
    """Create a rd_mcp, user or pscsi storage object in its own HBA, and return its directory.

    `metadata` are the texts that restore its reservations. The serial is written last. fast_path.py creates
    fileio and iblock. Raises RtsError.
    """
    match item.plugin:
        case PluginName.RD_MCP:
            ramdisk = RDMCPStorageObject.__new__(RDMCPStorageObject)
            _restore_only(ramdisk, metadata)
            ramdisk.__init__(item.name, item.size, item.serial, index=index)  # type: ignore[misc]
            return str(ramdisk.path)
        case PluginName.USER:
            user = UserBackedStorageObject.__new__(UserBackedStorageObject)
            _restore_only(user, metadata)
            user.__init__(item.name, item.path, item.size, item.serial, index=index)  # type: ignore[misc]
            return str(user.path)
        case PluginName.PSCSI:
            return str(PSCSIStorageObject(item.name, item.path, index).path)
        case _:
            raise AssertionError(item)


def is_disk(path: str) -> bool:
    """Return whether a block device is of the type TYPE_DISK, the only one that iblock accepts."""
    return utils.get_blockdev_type(path) == 0


def remove_alone(node: CFSNode) -> None:
    """Remove the object alone: the delete() of rtslib's classes also removes objects below it."""
    CFSNode.delete(node)
