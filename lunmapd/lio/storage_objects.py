"""Looking at the storage objects in LIO's core."""

from lunmapd.core import lio
from lunmapd.core.project import STORAGE_ATTRIBUTES
from lunmapd.lio import parse
from lunmapd.lio.look import Look
from lunmapd.lio.places import FIRST_INDEX, index_of


def observe_storage_objects(look: Look) -> None:
    """Note the storage objects of our HBA indexes, in the order of these: of two with one name, the first counts."""
    for index, hba in sorted((index_of(hba), hba) for hba in look.directories("core")):
        if index < FIRST_INDEX:
            continue
        look.places.indexes.take(index)
        if hba.rpartition("_")[0] in STORAGE_ATTRIBUTES:
            _hba(look, hba)


def _hba(look: Look, hba: str) -> None:
    if look.keep(f"core/{hba}"):
        held = look.held[f"core/{hba}"]
        look.places.devices.update({item.name: hba for item in held if isinstance(item, lio.StorageObject)})
        return
    names = look.directories(f"core/{hba}")
    if not names:
        look.leftover("hba", f"core/{hba}")
    for name in names:
        item = _storage_object(look, hba, name)
        if item is None or name in look.places.devices:
            look.leftover("storage_object", f"core/{hba}/{name}")
        else:
            look.add(item)
            look.places.devices[name] = hba


def _storage_object(look: Look, hba: str, name: str) -> lio.StorageObject | None:
    """Read one storage object, None if it isn't whole: its creation writes the serial after it is enabled."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    serial = parse.serial(look.read(f"{path}/wwn/vpd_unit_serial") or "")
    backing = parse.backing(plugin, look.read(f"{path}/info") or "")
    if not serial or backing is None:
        return None
    attributes = look.settings(f"{path}/attrib", STORAGE_ATTRIBUTES[plugin])
    return lio.StorageObject(name, plugin, *backing, serial, attributes)
