"""Single foreign objects, as documents of a map and as objects of lunmapd. Pure."""

from collections.abc import Iterator

from msgspec import structs

from lunmapd.core.adoption.foreign import ForeignConfiguration, ForeignStorage, ForeignTpg
from lunmapd.core.adoption.losses import is_number
from lunmapd.core.base.attributes import PARAMETERS, STORAGE, TPG
from lunmapd.core.base.backings import DEFAULT_VENDOR, PLUGINS, PluginName, backing_of
from lunmapd.core.base.lunmap import Access, Lun, Map, Scope, Shared, Target
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK, READ_ONLY_ATTRIBUTES, TPG_ATTRIBUTES

# Attributes whose default is the device's value, with the attribute that reports it (target_core_device.c).
_FROM_DEVICE = {
    "block_size": "hw_block_size",
    "queue_depth": "hw_queue_depth",
    "optimal_sectors": "hw_max_sectors",
}
# The defaults of backings that are no devices: fd_configure_device (FD_MAX_BYTES is 8 MiB), and
# rd_configure_device with target_configure_device, which rounds the sectors down to whole pages.
_WITHOUT_DEVICE = {
    PluginName.FILEIO: {
        "block_size": "512",
        "is_nonrot": "0",
        "max_unmap_block_desc_count": "1",
        "max_unmap_lba_count": "8192",
        "max_write_same_len": "4096",
        "optimal_sectors": "16384",
        "unmap_granularity": "1",
        "unmap_granularity_alignment": "0",
        "unmap_zeroes_data": "0",
    },
    PluginName.RD_MCP: {
        "block_size": "512",
        "is_nonrot": "1",
        "max_write_same_len": "0",
        "optimal_sectors": "4294967288",
    },
}
_SCOPE = {"0": Scope.OFF, "1": Scope.PER_NODE}


def lun_of(item: ForeignStorage, maps: tuple[Map, ...]) -> Lun:
    """Return the Lun that describes a storage object."""
    plugin = PLUGINS[item.plugin]
    bare = plugin.own_inquiry
    read_only = any(entry.access is Access.READ_ONLY for entry in maps)
    attributes = dict(_attributes(item))
    return Lun(
        backing_of(plugin, item.path),
        item.serial,
        item.size if plugin.sized else None,
        "" if bare or item.vendor == DEFAULT_VENDOR else item.vendor,
        "" if bare or item.product == plugin.product else item.product,
        # lunmapd governs it for such a Lun.
        {
            name: value
            for name, value in attributes.items()
            if not (read_only and name in READ_ONLY_ATTRIBUTES)
        },
        shared=_shared(item),
        maps=maps,
    )


def _attributes(item: ForeignStorage) -> Iterator[tuple[str, int]]:
    """Yield the attributes that are not at their default.

    A default that depends on the device is known only if the kernel reports it. Otherwise the map sets the
    attribute: an initiator must not see another block size because of another node's device.
    """
    for (plugin, name), row in sorted(STORAGE.items()):
        value = item.attributes.get(name, "")
        if plugin == item.plugin and is_number(value) and value != _natural(item, name, row.default):
            yield name, int(value)


def _natural(item: ForeignStorage, name: str, default: int | None) -> str:
    """Return the default of an attribute, "" if it is not known."""
    if default is not None:
        return str(default)
    if (constants := _WITHOUT_DEVICE.get(PluginName(item.plugin))) is not None:
        return constants[name]
    return item.attributes.get(_FROM_DEVICE.get(name, ""), "")


def _shared(item: ForeignStorage) -> Shared | None:
    """Return which per-node state of LIO is offered; None if all of it is."""
    reservations, compare = (item.attributes.get(name, "1") for name in ("emulate_pr", "emulate_caw"))
    if "0" not in {reservations, compare}:
        return None
    return Shared(_SCOPE.get(reservations, Scope.OFF), _SCOPE.get(compare, Scope.OFF))


def target_of(tpg: ForeignTpg) -> Target:
    """Return a target without nodes that has the settings of a TPG."""
    attributes = {
        name: int(tpg.attributes[name])
        for name, row in sorted(TPG.items())
        if is_number(value := tpg.attributes.get(name, "")) and value != str(row.default)
    }
    parameters = {
        name: tpg.parameters[name]
        for name, row in sorted(PARAMETERS.items())
        if tpg.parameters.get(name, row.default) != row.default
    }
    return Target({}, attributes=attributes, parameters=parameters)


def as_ours(
    foreign: ForeignConfiguration, wanted: lio_objects.DesiredObjects
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return the foreign objects of the desired targets as they would be observed with lunmapd's mark.

    All mapped LUNs of a read-only storage object are read-only.
    """
    targets = {item.iqn for item in wanted.values() if isinstance(item, lio_objects.Target)}
    tpgs = [tpg for tpg in foreign.tpgs if tpg.iqn in targets]
    exported = {key for tpg in tpgs for key in tpg.luns.values()} & foreign.storage.keys()
    objects: list[lio_objects.DesiredObject] = [
        _storage(foreign.storage[key], wanted) for key in sorted(exported)
    ]
    for tpg in tpgs:
        objects.extend(_tpg(tpg, foreign))
    if foreign.discovery is not None:
        objects.append(lio_objects.DiscoveryAuth(foreign.discovery))
    return lio_objects.by_key(objects)


def _storage(item: ForeignStorage, wanted: lio_objects.DesiredObjects) -> lio_objects.StorageObject:
    """Return a storage object with the settings that the desired one has, as if it had its alias."""
    like = wanted.get(("storage_object", item.name))
    if not isinstance(like, lio_objects.StorageObject):
        like = lio_objects.StorageObject(item.name, item.plugin, item.path, item.size, item.serial)
    names = [name for name, _ in like.attributes] or PLUGINS[item.plugin].governed
    seen = tuple((name, item.attributes[name]) for name in names if name in item.attributes)
    return structs.replace(
        like,
        plugin=item.plugin,
        path=item.path,
        size=item.size if PLUGINS[item.plugin].sized else 0,
        serial=item.serial or like.serial,
        attributes=seen,
        vendor=item.vendor if like.vendor else "",
        product=item.product if like.product else "",
        alua=None,
        default_group=item.default_group,
    )


def _tpg(tpg: ForeignTpg, foreign: ForeignConfiguration) -> Iterator[lio_objects.DesiredObject]:
    iqn, tag = tpg.iqn, tpg.tag
    governed = [name for name, _ in TPG_ATTRIBUTES]
    given = sorted(name for name in TPG if tpg.attributes.get(name) not in {None, str(TPG[name].default)})
    parameters = sorted(
        name for name in PARAMETERS if tpg.parameters.get(name) not in {None, PARAMETERS[name].default}
    )
    attributes = tuple((name, tpg.attributes[name]) for name in (*governed, *given) if name in tpg.attributes)
    yield lio_objects.Target(iqn)
    marked = (("TargetAlias", MARK), *((name, tpg.parameters[name]) for name in parameters))
    yield lio_objects.Tpg(iqn, tag, attributes, marked)
    yield from (lio_objects.Portal(iqn, tag, address, iser) for address, iser in tpg.portals.items())
    names = {number: foreign.storage[key].name for number, key in tpg.luns.items() if key in foreign.storage}
    yield from (lio_objects.TpgLun(iqn, tag, name) for name in names.values())
    for acl in tpg.acls:
        yield lio_objects.NodeAcl(iqn, tag, acl.initiator, acl.credentials, acl.overrides_authentication)
        for entry in acl.maps:
            if entry.lun in names:
                read_only = entry.read_only or foreign.storage[tpg.luns[entry.lun]].read_only
                yield lio_objects.MappedLun(
                    iqn, tag, acl.initiator, entry.number, names[entry.lun], read_only
                )
    if tpg.enabled:
        yield lio_objects.Enabled(iqn, tag, tpg.port_id)
