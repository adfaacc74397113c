"""Attributes and parameters of LIO objects: read, compared, and written only where they differ."""

from collections.abc import Iterable, Mapping

from lunmapd.core.base import attributes
from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.parse import parse_device_numbers
from lunmapd.lio.base.refusal import KernelRefusedError

_WRITE_SAME = "max_write_same_len"
_SECTOR = 512
_MOST_OF_WRITE_SAME_10 = 0xFFFF


def write_tpg(item: lio_objects.Tpg, before: lio_objects.Object | None = None) -> None:
    """Write the TPG's parameters, the mark first, and its attributes where they differ.

    Those that only `before` has are written back to their default. Raises RtsError, and KernelRefusedError
    for an attribute or parameter that this kernel does not have.
    """
    tpg = rts.open_tpg(item.iqn, item.tag, "lookup")
    old = before if isinstance(before, lio_objects.Tpg) else item
    gone = _gone(old.parameters, item.parameters)
    for name, value in (*item.parameters, *_default_parameters(gone, dict(item.attributes))):
        if _must_write(tpg.path, f"param/{name}", value):
            tpg.set_parameter(name, value)
    # While generate_node_acls is on, the kernel silently ignores cache_dynamic_acls=0
    # (iscsit_ta_cache_dynamic_acls).
    ordered = sorted(item.attributes, key=lambda setting: setting[0] != "generate_node_acls")
    write_attributes(tpg.path, ordered)
    write_attributes(tpg.path, _default_attributes(_gone(old.attributes, item.attributes)))


def _gone(before: lio_objects.AttributeValues, after: lio_objects.AttributeValues) -> list[str]:
    kept = {name for name, _ in after}
    return [name for name, _ in before if name not in kept]


def _default_parameters(names: Iterable[str], given: Mapping[str, str]) -> lio_objects.AttributeValues:
    """Return the defaults of parameters of a TPG with the attributes `given`."""
    method = attributes.auth_method(given.get("authentication", ""))
    defaults = {attributes.AUTH_METHOD: method}
    return tuple((name, defaults.get(name) or attributes.PARAMETERS[name].default) for name in names)


def _default_attributes(names: Iterable[str]) -> lio_objects.AttributeValues:
    return tuple((name, str(attributes.TPG[name].default)) for name in names)


def default_storage_attributes(plugin: str, path: str, names: Iterable[str]) -> lio_objects.AttributeValues:
    """Return the defaults of attributes of the storage object at `path`.

    Those whose default comes from the device are left out, except for max_write_same_len, which lunmapd
    itself changes while the Lun is mapped.
    """
    defaults = ((name, attributes.STORAGE[plugin, name].default) for name in names)
    known = tuple((name, str(value)) for name, value in defaults if value is not None)
    return (*known, (_WRITE_SAME, _write_same_default(plugin, path))) if _WRITE_SAME in names else known


def _write_same_default(plugin: str, path: str) -> str:
    """Return the blocks of a WRITE SAME as the kernel sets them for a new storage object.

    Sources: fd_configure_device, iblock_configure_device, DA_MAX_WRITE_SAME_LEN.
    """
    match plugin:
        case PluginName.FILEIO:
            return "4096"
        case PluginName.IBLOCK:
            numbers = parse_device_numbers(files.read_file(f"{path}/info") or "")
            device = f"/sys/dev/block/{numbers}"
            file = "queue/write_zeroes_max_bytes"
            # A partition has the queue of its disk.
            size = files.read_file(f"{device}/{file}") or files.read_file(f"{device}/../{file}") or "0"
            return str(int(size) // _SECTOR or _MOST_OF_WRITE_SAME_10)
        case _:
            return "0"


def write_attributes(path: str, desired: Iterable[tuple[str, str]]) -> None:
    """Write attributes of the object at `path` where they differ, as pairs of name and value.

    Raises OSError, and KernelRefusedError for an attribute that this kernel does not have.
    """
    for name, value in desired:
        if _must_write(path, f"attrib/{name}", value):
            files.write_file(f"{path}/attrib/{name}", value)


def _must_write(path: str, file: str, value: str) -> bool:
    current = files.read_file(f"{path}/{file}")
    if current is None:
        raise KernelRefusedError(
            Reason.ATTRIBUTE_UNSUPPORTED,
            f"this kernel has no {file} in {path}: remove it from the map, or update the kernel",
        )
    return current != value
