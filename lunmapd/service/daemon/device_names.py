"""What udev and sysfs know about a block device: its own identity, and its other names."""

import os
import re
from collections.abc import Iterator
from functools import cache

from pyudev import Context, Device, DeviceNotFoundError, Devices

from lunmapd.core.base.backing_reports import (
    DM_UUID,
    MAX_NAMES,
    SERIAL,
    UNDESCRIBED,
    WWN,
    DeviceDescription,
)

# Kind of identity to the properties of udev that have it; the first one that is set counts.
_PROPERTIES = {
    DM_UUID: ("DM_UUID",),
    WWN: ("ID_WWN_WITH_EXTENSION", "ID_WWN"),
    SERIAL: ("ID_SERIAL",),
}
# The same from sysfs, for a device that udev does not know.
_ATTRIBUTES = {DM_UUID: ("dm/uuid",), WWN: ("wwid", "device/wwid"), SERIAL: ("serial",)}


_PREFIX = re.compile(r"^(0x|naa\.|eui\.)")
"""udev and sysfs write the same WWN with different prefixes."""
_OF_THIS_BOOT = "/dev/disk/by-diskseq/"


def describe_device(numbers: str) -> DeviceDescription:
    """Return the description of the block device with these numbers (`253:0`); an empty one if it is gone.

    Reads udev's database and sysfs, and opens no device.
    """
    major, _, minor = numbers.partition(":")
    try:
        device = Devices.from_device_number(_context(), "block", os.makedev(int(major), int(minor)))
    except (DeviceNotFoundError, OSError, ValueError):
        return UNDESCRIBED
    return DeviceDescription(dict(_identity(device)), tuple(sorted(set(_names(device)))[:MAX_NAMES]))


@cache
def _context() -> Context:
    return Context()


def _identity(device: Device) -> Iterator[tuple[str, str]]:
    for kind, names in _PROPERTIES.items():
        found = (device.properties.get(name) for name in names)
        text = next((text for text in found if text), None) or _attribute(device, kind)
        if text:
            yield kind, _PREFIX.sub("", text) if kind == WWN else text


def _attribute(device: Device, kind: str) -> str:
    texts = (device.attributes.get(name) for name in _ATTRIBUTES[kind])
    return next((text.decode(errors="replace").strip() for text in texts if text), "")


def _names(device: Device) -> Iterator[str]:
    if device.device_node:
        yield device.device_node
    yield from (link for link in device.device_links if not link.startswith(_OF_THIS_BOOT))
    mapped = device.attributes.get("dm/name")
    if mapped:
        yield f"/dev/mapper/{mapped.decode(errors='replace').strip()}"
