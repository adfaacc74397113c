"""What a Lun's blocks are kept in: the kinds of backing, by their `type`, and LIO's plugins that serve them.

To add a kind: a struct here, its row in PLUGINS, and in lio/ how it is made and read (docs/architecture.md).
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Block(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="block"
):
    """A block device, exported through LIO's iblock; `path` is the device node on each storage node.

    `overrides` gives the path on single nodes, by their name; so it does in the other kinds.
    """

    path: str
    overrides: Mapping[str, str] = {}


class FileIO(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="fileio"
):
    """A file, exported through LIO's fileio, written through; it must exist on each storage node."""

    path: str
    overrides: Mapping[str, str] = {}


class RamDisk(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="ramdisk"
):
    """Memory of the storage node, lost when the storage object goes; `volatile` must be true, to have it said."""

    volatile: bool = False


class Pscsi(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="pscsi"
):
    """A SCSI device, passed through; `path` is its device node."""

    path: str
    overrides: Mapping[str, str] = {}


class User(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="user"):
    """A program in user space behind LIO's tcmu; `config` is what the program gets: its own name, '/', the rest."""

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
    """Where the size of a Lun comes from: from the Lun; from its device, where the Lun may say how much that must be; from its device."""

    LUN = "lun"
    DECLARED = "declared"
    DEVICE = "device"


class Plugin(Struct, frozen=True, kw_only=True):
    """What lunmapd knows of a plugin: one row for each kind of backing.

    `saved_name` is its name in saveconfig.json. `product` is LIO's default INQUIRY product (inquiry_prod in drivers/target); it is
    empty where the device gives its own vendor, product and serial. `emulated`: LIO carries out the SCSI commands, ALUA
    included; otherwise the device or program does (TRANSPORT_FLAG_PASSTHROUGH). `discards`: UNMAP and WRITE SAME are passed to
    the backing. `reserves`: LIO keeps persistent reservations. `on_path`: the backing is a path on the node. The size is
    a multiple of `granule` bytes, and grows while exported if it is `resizable`. `governed` are the storage attributes
    that lunmapd sets itself, in the order of StorageObject.attributes.
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
            name=PluginName.FILEIO, backing=FileIO, saved_name="fileio", product="FILEIO", size=SizeSource.LUN,
            emulated=True, discards=True, resizable=True, governed=(*_PER_NODE, "emulate_write_cache"),
        ),
        Plugin(
            name=PluginName.IBLOCK, backing=Block, saved_name="block", product="IBLOCK", size=SizeSource.DECLARED,
            emulated=True, discards=True, governed=_PER_NODE,
        ),
        Plugin(
            name=PluginName.RD_MCP, backing=RamDisk, saved_name="ramdisk", product="RAMDISK-MCP", size=SizeSource.LUN,
            emulated=True, on_path=False, granule=4096, governed=_PER_NODE,
        ),
        Plugin(name=PluginName.PSCSI, backing=Pscsi, saved_name="pscsi", size=SizeSource.DEVICE, reserves=False),
        Plugin(
            name=PluginName.USER, backing=User, saved_name="user", product="USER", size=SizeSource.LUN, on_path=False,
        ),
    )
}  # fmt: skip
"""Every plugin that a map can use, by its name in configfs."""

_BY_BACKING: Mapping[type, Plugin] = {plugin.backing: plugin for plugin in PLUGINS.values()}


def plugin_of(backing: Backing) -> Plugin:
    """Return the plugin of LIO that serves a backing."""
    return _BY_BACKING[type(backing)]


def backing_of(plugin: Plugin, source: str) -> Backing:
    """Return the backing whose `source` is the given path or configuration."""
    if issubclass(plugin.backing, RamDisk):
        return RamDisk(volatile=True)
    return plugin.backing(source)


def source(backing: Backing) -> str:
    """Return the path or the configuration, nothing for a RamDisk."""
    match backing:
        case RamDisk():
            return ""
        case User():
            return backing.config
        case _:
            return backing.path
