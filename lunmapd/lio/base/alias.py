"""The alias file of a storage object: the record, in the kernel, of the settings that come from the map.

The kernel keeps a free text for each storage object in its configfs file `alias`. Each observation reads the
attributes that the text names. An attribute that the text names and the map no longer sets is written back to
the kernel's default. Other attributes are not read, which keeps observations cheap.

The text also records which file or device was opened, because the kernel shows only its path: a path may lead
to another one later (docs/adr/0023-what-lies-behind-a-lun.md).

The text consists of words: `lunmapd`, then the names of attributes, `vendor`, `product`, `alua`, `adopted`,
`serial=SERIAL`, and the words of `OpenedBacking`, each if it applies.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import astuple

from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK

_MAX_LENGTH = 511  # SE_UDEV_PATH_LEN and SE_DEV_ALIAS_LEN in include/target/target_core_base.h
_SERIAL = "serial"
_VENDOR, _PRODUCT, _ALUA, _ADOPTED = "vendor", "product", "alua", "adopted"


class OpenedBacking(Struct, frozen=True):
    """The file or device that LIO has opened for a storage object; empty where unknown.

    `file` is the device and inode of a file (`file=2049:131`). `device` are the numbers of a block device for
    a plugin whose `info` lacks them (`device=8:0`). `disk` is the sequence number of the disk (`disk=17`),
    `identity` the device's own identity (`identity=wwid:0123456789abcdef`); see block_devices.py. `size` is
    that of a device in bytes when it was opened (`size=1048576`).
    """

    file: str = ""
    device: str = ""
    disk: str = ""
    identity: str = ""
    size: int = 0


class Alias(Struct, frozen=True):
    """The content of an alias file; see each field."""

    attributes: tuple[str, ...] = ()
    """Names of the attributes that the map sets, sorted."""
    vendor: bool = False
    """Whether the map sets the vendor."""
    product: bool = False
    """Whether the map sets the product."""
    serial: str = ""
    """The serial in the map, for a plugin whose serial the kernel can't set (pscsi); else empty."""
    alua: bool = False
    """Whether lunmapd made a target port group for the storage object."""
    adopted: bool = False
    """Whether another tool made the storage object, and it was adopted."""
    opened: OpenedBacking = OpenedBacking()
    """The opened file or device."""


def parse_alias(plugin: str, text: str) -> Alias:
    """Parse the text of an alias file.

    Unknown words are ignored; a text without lunmapd's mark gives an empty Alias.
    """
    words = text.split()
    if words[:1] != [MARK]:
        return Alias()
    values = dict(word.split("=", 1) for word in words if "=" in word)
    names = tuple(sorted(word for word in words if (plugin, word) in STORAGE))
    return Alias(
        names,
        _VENDOR in words,
        _PRODUCT in words,
        values.get(_SERIAL, ""),
        _ALUA in words,
        _ADOPTED in words,
        _parse_opened(values),
    )


def _parse_opened(values: Mapping[str, str]) -> OpenedBacking:
    size = values.get("size", "")
    return OpenedBacking(
        values.get("file", ""),
        values.get("device", ""),
        values.get("disk", ""),
        values.get("identity", ""),
        int(size) if size.isascii() and size.isdigit() else 0,
    )


def alias_of(item: lio_objects.StorageObject) -> Alias:
    """Return the alias of a desired storage object.

    A pscsi device reports its own serial to initiators, so the map's serial is kept in the alias only.
    """
    governed = PLUGINS[item.plugin].governed
    names = tuple(name for name, _ in item.attributes if name not in governed)
    serial = item.serial if PLUGINS[item.plugin].own_inquiry else ""
    return Alias(names, bool(item.vendor), bool(item.product), serial, item.alua is not None)


def merge_aliases(one: Alias, other: Alias) -> Alias:
    """Return an alias with everything that either alias has; both have the same opened backing."""
    names = tuple(sorted({*one.attributes, *other.attributes}))
    return Alias(
        names,
        one.vendor or other.vendor,
        one.product or other.product,
        one.serial or other.serial,
        one.alua or other.alua,
        one.adopted or other.adopted,
        one.opened,
    )


def show_alias(alias: Alias) -> str:
    """Return the text that `parse_alias` parses."""
    words = [MARK, *alias.attributes]
    words += [_VENDOR] if alias.vendor else []
    words += [_PRODUCT] if alias.product else []
    words += [_ALUA] if alias.alua else []
    words += [_ADOPTED] if alias.adopted else []
    opened = zip(alias.opened.__struct_fields__, astuple(alias.opened), strict=True)
    values = {_SERIAL: alias.serial, **dict(opened)}
    words += [f"{name}={value}" for name, value in values.items() if value]
    text = " ".join(words)
    assert len(text) <= _MAX_LENGTH, "all attribute names, the longest serial and an opened device fit"
    return text
