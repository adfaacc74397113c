"""What a Lun's blocks are kept in: the kinds of backing, by their `type`."""

from collections.abc import Mapping

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


_PLUGINS: Mapping[type, str] = {
    Block: "iblock", FileIO: "fileio", RamDisk: "rd_mcp", Pscsi: "pscsi", User: "user",
}  # fmt: skip


def plugin_of(backing: Backing) -> str:
    """Return the plugin of LIO that serves it, as configfs names it."""
    return _PLUGINS[type(backing)]


def source(backing: Backing) -> str:
    """Return the path or the configuration, nothing for a RamDisk."""
    match backing:
        case RamDisk():
            return ""
        case User():
            return backing.config
        case _:
            return backing.path
