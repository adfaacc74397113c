"""What lunmapd notes on a storage object in the kernel: which of its settings come from the map.

The kernel keeps a free text for each storage object, `alias`. What is named there is read back with each look, and goes
back to the kernel's default when the map does not set it any more; all else is not looked at, which keeps looks cheap.
"""

from msgspec import Struct

from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import MARK, STORAGE_ATTRIBUTES

_MAX_LENGTH = 511  # SE_UDEV_PATH_LEN and SE_DEV_ALIAS_LEN in include/target/target_core_base.h
_SERIAL = "serial="
_VENDOR, _PRODUCT, _ALUA, _ADOPTED = "vendor", "product", "alua", "adopted"


class Alias(Struct, frozen=True):
    """The names of the attributes, whether vendor and product are set and there is a target port group of ours, a serial that the kernel can't keep, and whether it was another tool's."""

    attributes: tuple[str, ...] = ()
    vendor: bool = False
    product: bool = False
    serial: str = ""
    alua: bool = False
    adopted: bool = False


def parse_alias(plugin: str, text: str) -> Alias:
    """Read a note; words that are not known are not ours."""
    words = text.split()
    if words[:1] != [MARK]:
        return Alias()
    serial = next((word.removeprefix(_SERIAL) for word in words if word.startswith(_SERIAL)), "")
    names = tuple(sorted(word for word in words if (plugin, word) in STORAGE))
    return Alias(names, _VENDOR in words, _PRODUCT in words, serial, _ALUA in words, _ADOPTED in words)


def alias_of(item: lio_objects.StorageObject) -> Alias:
    """Return the note for a storage object. The serial of a passed through device is the device's own business."""
    governed = STORAGE_ATTRIBUTES[item.plugin]
    names = tuple(name for name, _ in item.attributes if name not in governed)
    serial = item.serial if item.plugin == "pscsi" else ""
    return Alias(names, bool(item.vendor), bool(item.product), serial, item.alua is not None)


def merge_aliases(one: Alias, other: Alias) -> Alias:
    """Return a note that names what either of them names."""
    names = tuple(sorted({*one.attributes, *other.attributes}))
    return Alias(
        names,
        one.vendor or other.vendor,
        one.product or other.product,
        one.serial or other.serial,
        one.alua or other.alua,
        one.adopted or other.adopted,
    )


def show_alias(alias: Alias) -> str:
    """Write a note in the words that `parse` reads."""
    words = [MARK, *alias.attributes]
    words += [_VENDOR] if alias.vendor else []
    words += [_PRODUCT] if alias.product else []
    words += [_ALUA] if alias.alua else []
    words += [_ADOPTED] if alias.adopted else []
    words += [_SERIAL + alias.serial] if alias.serial else []
    text = " ".join(words)
    assert len(text) <= _MAX_LENGTH, "every name there is, and the longest serial, fit"
    return text
