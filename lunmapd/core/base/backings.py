"""The kinds of backing of a Lun, by their `type`, and LIO's plugins that serve them.

To add a kind: a struct here, its row in PLUGINS, and in lio/ how it is made and read (docs/architecture.md).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

DEFAULT_VENDOR = "LIO-ORG"
"""The INQUIRY vendor of a Lun without one (drivers/target/target_core_configfs.c)."""


class Block(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    tag_field="type",
    tag="block",
):
    """A block device, exported through LIO's iblock; `path` is the device node on each storage node.

    `overrides` maps names of nodes to their paths, as in the other kinds.
    """

    path: str
    overrides: Mapping[str, str] = {}


class FileIO(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    tag_field="type",
    tag="fileio",
):
    """A file, exported through LIO's fileio with write-through; it must exist on each storage node."""

    path: str
    overrides: Mapping[str, str] = {}


class RamDisk(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    tag_field="type",
    tag="ramdisk",
):
    """Memory of the storage node, lost with the storage object; `volatile` must be set to true."""

    volatile: bool = False


class Pscsi(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    tag_field="type",
    tag="pscsi",
):
    """A SCSI device, passed through; `path` is its device node."""

    path: str
    overrides: Mapping[str, str] = {}


class User(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    tag_field="type",
    tag="user",
):
    """A tcmu program in user space; `config` is its name, '/' and its configuration."""

    config: str
    overrides: Mapping[str, str] = {}


Backing = Block | FileIO | RamDisk | Pscsi | User


class PluginName(StrEnum):
    """A plugin of LIO's core, as configfs names it."""

    FILEIO = "fileio"
    IBLOCK = "iblock"
    PSCSI = "pscsi"
    RD_MCP = "rd_mcp"
    USER = "user"


class SizeSource(StrEnum):
    """The source of a Lun's size.

    LUN: the Lun. DECLARED: the device; the Lun may declare its minimum. DEVICE: the device.
    """

    LUN = "lun"
    DECLARED = "declared"
    DEVICE = "device"


class Plugin(Struct, frozen=True, kw_only=True):
    """The properties of a plugin: one row for each kind of backing.

    - `saved_name`: its name in saveconfig.json.
    - `product`: LIO's default INQUIRY product (inquiry_prod in drivers/target), empty if the device reports
      its own vendor, product and serial.
    - `emulated`: LIO executes the SCSI commands, with ALUA; otherwise the device or program does
      (TRANSPORT_FLAG_PASSTHROUGH).
    - `discards`: UNMAP and WRITE SAME reach the backing.
    - `reserves`: LIO keeps persistent reservations.
    - `on_path`: the backing is a path on the node.
    - `granule`: the size in bytes is a multiple of it.
    - `resizable`: the size can grow while the Lun is exported.
    - `governed`: the storage attributes that lunmapd sets itself, in the order of StorageObject.attributes.
    """

    name: PluginName
    backing: type[Backing]
    saved_name: str
    size: SizeSource
    product: str = ""
    emulated: bool = False
    discards: bool = False
    reserves: bool = True
    on_path: bool = True
    resizable: bool = False
    granule: int = 512
    governed: tuple[str, ...] = ("emulate_pr",)

    @property
    def sized(self) -> bool:
        """Whether the size is the Lun's."""
        return self.size is SizeSource.LUN

    @property
    def own_inquiry(self) -> bool:
        """Whether the device gives its own vendor, product and serial."""
        return not self.product


_PER_NODE = ("emulate_3pc", "emulate_caw", "emulate_pr")

PLUGINS: Mapping[str, Plugin] = {
    plugin.name: plugin
    for plugin in (
        Plugin(
            name=PluginName.FILEIO,
            backing=FileIO,
            saved_name="fileio",
            product="FILEIO",
            size=SizeSource.LUN,
            emulated=True,
            discards=True,
            resizable=True,
            governed=(*_PER_NODE, "emulate_write_cache"),
        ),
        Plugin(
            name=PluginName.IBLOCK,
            backing=Block,
            saved_name="block",
            product="IBLOCK",
            size=SizeSource.DECLARED,
            emulated=True,
            discards=True,
            governed=_PER_NODE,
        ),
        Plugin(
            name=PluginName.RD_MCP,
            backing=RamDisk,
            saved_name="ramdisk",
            product="RAMDISK-MCP",
            size=SizeSource.LUN,
            emulated=True,
            on_path=False,
            granule=4096,
            governed=_PER_NODE,
        ),
        Plugin(
            name=PluginName.PSCSI, backing=Pscsi, saved_name="pscsi", size=SizeSource.DEVICE, reserves=False
        ),
        Plugin(
            name=PluginName.USER,
            backing=User,
            saved_name="user",
            product="USER",
            size=SizeSource.LUN,
            on_path=False,
        ),
    )
}
"""Every plugin that a map can use, by its name in configfs."""

_BY_BACKING: Mapping[type, Plugin] = {plugin.backing: plugin for plugin in PLUGINS.values()}


def plugin_of(backing: Backing) -> Plugin:
    """Return the plugin of LIO that serves a backing."""
    return _BY_BACKING[type(backing)]


def backing_of(plugin: Plugin, source: str) -> Backing:
    """Return the backing of a plugin with this path or configuration."""
    if issubclass(plugin.backing, RamDisk):
        return RamDisk(volatile=True)
    return plugin.backing(source)


def source_field(backing: Backing) -> str:
    """Return the name of the field that has the source of a backing other than a RamDisk."""
    return "config" if isinstance(backing, User) else "path"


def source(backing: Backing) -> str:
    """Return the path or the configuration, "" for a RamDisk."""
    match backing:
        case RamDisk():
            return ""
        case User():
            return backing.config
        case _:
            return backing.path
