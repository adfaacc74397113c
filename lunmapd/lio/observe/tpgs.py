"""Looking at a target portal group: its settings, LUNs, portals and state."""

from collections.abc import Mapping

from lunmapd.core.base.attributes import PARAMETERS, TPG
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import MARK, PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.observation import Look
from lunmapd.lio.base.parse import directory_number
from lunmapd.lio.observe.alua import observe_binding

_ATTRIBUTES = {name: str(row.default) for name, row in TPG.items()}
_PARAMETERS = {name: row.default for name, row in PARAMETERS.items()}
_INSIDE = ("lun", "acls", "np")


def is_marked(look: Look, iqn: str, tag: int) -> bool:
    """Say whether lunmapd made the TPG."""
    return look.read(f"{tpg_path(iqn, tag)}/param/TargetAlias") == MARK


def is_inert(look: Look, iqn: str, tag: int) -> bool:
    """Say whether the TPG is as mkdir left it: disabled, without LUNs, ACLs and portals."""
    path = tpg_path(iqn, tag)
    return look.read(f"{path}/enable") != "1" and not any(
        look.directories(f"{path}/{name}") for name in _INSIDE
    )


def observe_tpg(look: Look, iqn: str, tag: int) -> None:
    """Note the TPG with the settings that lunmapd manages, its portals, and whether it accepts logins."""
    path = tpg_path(iqn, tag)
    attributes = look.settings(f"{path}/attrib", (*_names(TPG_ATTRIBUTES), *sorted(TPG)))
    parameters = look.settings(f"{path}/param", (*_names(TPG_PARAMETERS), *sorted(PARAMETERS)))
    look.add(lio_objects.Tpg(iqn, tag, _changed(attributes, _ATTRIBUTES), _changed(parameters, _PARAMETERS)))
    for address in look.directories(f"{path}/np"):
        look.add(lio_objects.Portal(iqn, tag, address, look.read(f"{path}/np/{address}/iser") == "1"))
    if look.read(f"{path}/enable") == "1":
        look.add(lio_objects.Enabled(iqn, tag, int(look.read(f"{path}/rtpi") or "0", 16)))


def _names(settings: lio_objects.Settings) -> tuple[str, ...]:
    return tuple(name for name, _ in settings)


def _changed(settings: lio_objects.Settings, defaults: Mapping[str, str]) -> lio_objects.Settings:
    """Leave out what is at its default, as what the map does not set is left out of what is desired."""
    return tuple((name, value) for name, value in settings if defaults.get(name) != value)


def note_features(look: Look, iqn: str, tag: int) -> None:
    """Learn from any TPG, whoever made it, what the kernel offers."""
    if look.read(f"{tpg_path(iqn, tag)}/rtpi") is not None:
        look.features.add(PORT_ID)


def observe_luns(look: Look, iqn: str, tag: int) -> dict[int, str]:
    """Note the TPG's LUNs; return those that are whole, number to storage object."""
    path = f"{tpg_path(iqn, tag)}/lun"
    numbers = (directory_number(name, "lun_") for name in look.directories(path))
    whole: dict[int, str] = {}
    for number in sorted(number for number in numbers if number is not None):
        look.places.numbers[iqn, tag].take(number)
        name = storage_object_of(look, f"{path}/lun_{number}")
        if name is None and f"{path}/lun_{number}" in look.held:
            continue
        if name is None or name in look.places.luns[iqn, tag]:
            look.leftover("lun", f"{path}/lun_{number}")
        else:
            whole[number] = name
            look.places.luns[iqn, tag][name] = number
            group = observe_binding(look, f"{path}/lun_{number}") if name in look.with_group else 0
            look.add(lio_objects.TpgLun(iqn, tag, name, group))
    return whole


def storage_object_of(look: Look, path: str) -> str | None:
    """Return the name of the storage object that a LUN exports, None if it isn't one of ours."""
    if path in look.held:
        held = (item.storage_object for item in look.held[path] if isinstance(item, lio_objects.TpgLun))
        return next(held, None)
    hba, _, name = (look.link(path) or "").rpartition("/")
    return name if name and look.places.devices.get(name) == hba.rpartition("/")[2] else None
