"""Observing a target portal group: its attributes, parameters, LUNs, portals and state."""

from collections.abc import Mapping

from msgspec.structs import replace

from lunmapd.core.base.attributes import AUTH_METHOD, PARAMETERS, TPG, auth_method
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK, PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import parse_portal_directory
from lunmapd.lio.observe.alua import LUN_GROUP, is_lun_offline, parse_lun_group

_ATTRIBUTES = {name: str(row.default) for name, row in TPG.items()}
_PARAMETERS = {name: row.default for name, row in PARAMETERS.items()}
_INSIDE = ("lun", "acls", "np")


def is_marked(observation: Observation, iqn: str, tag: int) -> bool:
    """Return whether the TPG has lunmapd's mark."""
    return observation.read(f"{tpg_path(iqn, tag)}/param/TargetAlias") == MARK


def is_inert(observation: Observation, iqn: str, tag: int) -> bool:
    """Return whether the TPG is as mkdir leaves it: disabled, without LUNs, ACLs and portals."""
    path = tpg_path(iqn, tag)
    return observation.read(f"{path}/enable") != "1" and not any(
        observation.list_directories(f"{path}/{name}") for name in _INSIDE
    )


def observe_tpg(observation: Observation, iqn: str, tag: int) -> None:
    """Record the TPG with the attributes and parameters of lunmapd, its portals and its enablement."""
    path = tpg_path(iqn, tag)
    attributes = observation.read_settings(f"{path}/attrib", (*_names(TPG_ATTRIBUTES), *sorted(TPG)))
    names = (*_names(TPG_PARAMETERS), *sorted(PARAMETERS), AUTH_METHOD)
    parameters = observation.read_settings(f"{path}/param", names)
    usual = {**_PARAMETERS, AUTH_METHOD: auth_method(dict(attributes).get("authentication", ""))}
    observation.add(lio_objects.Tpg(iqn, tag, _changed(attributes, _ATTRIBUTES), _changed(parameters, usual)))
    for name in observation.list_directories(f"{path}/np"):
        address = parse_portal_directory(name)
        if address != name:
            observation.index.portals[iqn, tag, address] = name
        iser = observation.read(f"{path}/np/{name}/iser") == "1"
        observation.add(lio_objects.Portal(iqn, tag, address, iser))
    if observation.read(f"{path}/enable") == "1":
        observation.add(lio_objects.Enabled(iqn, tag, int(observation.read(f"{path}/rtpi") or "0", 16)))


def _names(settings: lio_objects.AttributeValues) -> tuple[str, ...]:
    return tuple(name for name, _ in settings)


def _changed(
    settings: lio_objects.AttributeValues, defaults: Mapping[str, str]
) -> lio_objects.AttributeValues:
    """Return the values that differ from their default: a desired TPG has no others either."""
    return tuple((name, value) for name, value in settings if defaults.get(name) != value)


def record_features(observation: Observation, iqn: str, tag: int) -> None:
    """Record the kernel features that a TPG of any tool shows."""
    if observation.read(f"{tpg_path(iqn, tag)}/rtpi") is not None:
        observation.features.add(PORT_ID)


def observe_luns(observation: Observation, iqn: str, tag: int) -> dict[int, str]:
    """Record the TPG's LUNs, and return the complete ones: number to name of the storage object."""
    path = f"{tpg_path(iqn, tag)}/lun"
    whole: dict[int, str] = {}
    for number in sorted(observation.list_numbers(path, "lun_")):
        observation.index.lun_numbers[iqn, tag].take(number)
        name = exported_storage_object(observation, f"{path}/lun_{number}")
        if name is None and f"{path}/lun_{number}" in observation.stuck:
            continue
        if name is None or name in observation.index.luns[iqn, tag]:
            observation.add_leftover("lun", f"{path}/lun_{number}")
        else:
            whole[number] = name
            observation.index.luns[iqn, tag][name] = number
            observe_lun(observation, lio_objects.TpgLun(iqn, tag, name), number)
    return whole


def observe_lun(observation: Observation, item: lio_objects.TpgLun, number: int) -> None:
    """Record the LUN `number` of a TPG, which exports the storage object of `item`.

    In a directory where a step is stuck, opening any file would hang too.
    """
    path = f"{tpg_path(item.iqn, item.tag)}/lun/lun_{number}"
    known = [each for each in observation.stuck.get(path, ()) if isinstance(each, lio_objects.TpgLun)]
    if known:
        observation.add(known[0])
        return
    text = observation.read(f"{path}/{LUN_GROUP}") or ""
    observation.add(replace(item, group=parse_lun_group(text), offline=is_lun_offline(text)))


def exported_storage_object(observation: Observation, path: str) -> str | None:
    """Return the name of the storage object that the LUN at `path` exports, None if it is not lunmapd's."""
    if path in observation.stuck:
        names = (
            item.storage_object for item in observation.stuck[path] if isinstance(item, lio_objects.TpgLun)
        )
        return next(names, None)
    hba, _, name = (observation.read_link(path) or "").rpartition("/")
    return name if name and observation.index.hbas.get(name) == hba.rpartition("/")[2] else None
