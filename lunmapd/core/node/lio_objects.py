"""The objects of LIO on one node: flat, keyed, immutable. Desired and observed state are both made of them.

An object's key has names of the map and not the kernel's numbers: a LUN is known by its target and storage
object, not by its number in the TPG. The kernel's own numbers (HBA index, TPG LUN) are found or chosen in
lunmapd/lio.

| object | key | configfs, below /sys/kernel/config/target |
|---|---|---|
| StorageObject | ("storage_object", name) | core/PLUGIN_INDEX/NAME |
| Target | ("target", iqn) | iscsi/IQN |
| Tpg | ("tpg", iqn, tag) | iscsi/IQN/tpgt_TAG, its attrib/ and param/ |
| TpgLun | ("lun", iqn, tag, storage object) | iscsi/IQN/tpgt_TAG/lun/lun_N |
| NodeAcl | ("acl", iqn, tag, initiator) | iscsi/IQN/tpgt_TAG/acls/INITIATOR, its auth/ |
| MappedLun | ("mapped_lun", iqn, tag, initiator, lun) | iscsi/IQN/tpgt_TAG/acls/INITIATOR/lun_LUN |
| Portal | ("portal", iqn, tag, address) | iscsi/IQN/tpgt_TAG/np/ADDRESS |
| Enabled | ("enabled", iqn, tag) | iscsi/IQN/tpgt_TAG/enable and rtpi |
| DiscoveryAuth | ("discovery_auth",) | iscsi/discovery_auth |
| Leftover | ("leftover", path) | path |

Tags and LUN numbers are integers, all other parts of keys are texts. The kernel's side of these directories
is drivers/target/target_core_configfs.c, target_core_fabric_configfs.c and iscsi/iscsi_target_configfs.c.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from msgspec import Struct

from lunmapd.core.base.attributes import STORAGE, When
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.password import Secret
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua, DefaultGroup
from lunmapd.core.node.opening import UNDECLARED_SIZE, WRITABLE, DeclaredSize, DeviceAccess, Opened

Key = tuple[str | int, ...]
"""The kind of the object, then its identifying fields; see the table above."""

AttributeValues = tuple[tuple[str, str], ...]
"""Pairs of name and value, each as its file in configfs reads."""


class StorageObject(Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """A backing in LIO's core.

    `plugin` is LIO's name of the kind: iblock, fileio, rd_mcp, pscsi or user. `path` is that of the device or
    file, the configuration of the handler for `user`, and empty for `rd_mcp`. `size` is in bytes, 0 for a
    device, which has its own size; `declared` is the minimum that the map gives for it. `serial` is the unit
    serial (VPD page 0x80). `attributes` are those that lunmapd governs in the order of STORAGE_ATTRIBUTES,
    then those that the map sets, by name. `vendor` and `product` are empty for LIO's defaults. `alua` is None
    if no other node shows the Lun: the kernel's own target port group is sufficient. `default_group` is that
    group; it is not read for plugins whose device or handler does ALUA. `access` is that of a block device;
    files are always opened for writing. `opened` is always CURRENT in a desired one.
    """

    name: str
    plugin: str
    path: str
    size: int
    serial: str
    attributes: AttributeValues = ()
    vendor: str = ""
    product: str = ""
    alua: Alua | None = None
    declared: DeclaredSize = UNDECLARED_SIZE
    default_group: DefaultGroup = DEFAULT_GROUP
    access: DeviceAccess = WRITABLE
    opened: Opened = Opened.CURRENT


class Target(Struct, frozen=True, tag=True, gc=False):
    """An iSCSI target on this node. `iqn` is its name in any of the three formats (iqn., eui., naa.)."""

    iqn: str


class Tpg(Struct, frozen=True, tag=True, gc=False):
    """A target portal group. It is created disabled; an Enabled object enables it.

    `tag` is the portal group tag, 1 to 65535. `attributes` and `parameters` are those that lunmapd governs,
    then the others of attributes.py that differ from their default, by name.
    """

    iqn: str
    tag: int
    attributes: AttributeValues = ()
    parameters: AttributeValues = ()


class TpgLun(Struct, frozen=True, tag=True, gc=False):
    """A storage object exported in a TPG. No initiator sees it before it is mapped.

    `group` is the id of its target port group, 0 for the kernel's own group. `offline`: all its commands fail
    (core_alua_set_tg_pt_secondary_state in drivers/target/target_core_alua.c); never desired.
    """

    iqn: str
    tag: int
    storage_object: str
    group: int = 0
    offline: bool = False


class ChapCredentials(Struct, frozen=True, gc=False):
    """CHAP users and passwords; empty ones are not required.

    `userid` and `password` authenticate the initiator, the mutual ones the target.
    """

    userid: str = ""
    password: Secret = Secret("")
    userid_mutual: str = ""
    password_mutual: Secret = Secret("")


NO_CREDENTIALS = ChapCredentials()


class NodeAcl(Struct, frozen=True, tag=True, gc=False):
    """The permission of an initiator to log in to a TPG.

    `overrides_authentication`: whether it needs CHAP is decided by the ACL's own attribute, not by the TPG's
    (iscsi_conn_auth_required in drivers/target/iscsi/iscsi_target_nego.c); never desired.
    """

    iqn: str
    tag: int
    initiator: str
    credentials: ChapCredentials = NO_CREDENTIALS
    overrides_authentication: bool = False


class DiscoveryAuth(Struct, frozen=True, tag=True, gc=False):
    """Discovery on this node requires CHAP. LIO has one setting for all of its targets."""

    credentials: ChapCredentials = NO_CREDENTIALS


class MappedLun(Struct, frozen=True, tag=True, gc=False):
    """A TPG's LUN as one initiator sees it, under the LUN number `lun`, 0 to MAX_LUN_NUMBER."""

    iqn: str
    tag: int
    initiator: str
    lun: int
    storage_object: str
    write_protect: bool


class Portal(Struct, frozen=True, tag=True, gc=False):
    """An address that a TPG listens on, spelled as in configfs (`10.0.0.1:3260`, `[::1]:3260`).

    `iser` is true if the TPG listens for RDMA too.
    """

    iqn: str
    tag: int
    address: str
    iser: bool = False


class Enabled(Struct, frozen=True, tag=True, gc=False):
    """A TPG accepts logins, with this relative target port id (SCSI), 1 to 65535.

    `port_id` can be set only while the TPG is disabled (drivers/target/target_core_fabric_configfs.c). It is
    0 on kernels without the file `rtpi`.
    """

    iqn: str
    tag: int
    port_id: int


class Leftover(Struct, frozen=True, tag=True, gc=False):
    """An incomplete object that a crash left behind, or a second copy: never desired, always removed first.

    `kind` is the kind of the complete object (storage_object, hba, lun or mapped_lun), `path` its directory
    below configfs' target directory.
    """

    kind: str
    path: str


DesiredObject = StorageObject | Target | Tpg | TpgLun | NodeAcl | MappedLun | Portal | Enabled | DiscoveryAuth
"""An object that a map can ask for. Not every observed object is one, so the two have types of their own."""
Object = DesiredObject | Leftover

Objects = Mapping[Key, Object]
DesiredObjects = Mapping[Key, DesiredObject]

NO_OBJECTS: DesiredObjects = {}

DISCOVERY_CLAIM = "discovery_auth"
"""The claim of discovery's credentials. It is stored among the names of claimed targets, and is not one."""

DISCOVERY_AUTH: Key = (DISCOVERY_CLAIM,)

CREATION_RANKS: Mapping[type, int] = {
    DiscoveryAuth: 0, StorageObject: 1, Target: 2, Tpg: 3, TpgLun: 4, NodeAcl: 5, MappedLun: 6, Portal: 7,
    Enabled: 8,
}  # fmt: skip


def complete_objects(observed: Objects) -> dict[Key, DesiredObject]:
    """Return the observed objects without leftovers, so that they can be desired as they are."""
    return {key: item for key, item in observed.items() if not isinstance(item, Leftover)}


def key_of(item: Object) -> Key:  # noqa: C901, PLR0911 - one arm a kind
    """Return the key of the object."""
    match item:
        case StorageObject():
            return ("storage_object", item.name)
        case Target():
            return ("target", item.iqn)
        case Tpg():
            return ("tpg", item.iqn, item.tag)
        case TpgLun():
            return ("lun", item.iqn, item.tag, item.storage_object)
        case NodeAcl():
            return ("acl", item.iqn, item.tag, item.initiator)
        case MappedLun():
            return ("mapped_lun", item.iqn, item.tag, item.initiator, item.lun)
        case Portal():
            return ("portal", item.iqn, item.tag, item.address)
        case Enabled():
            return ("enabled", item.iqn, item.tag)
        case DiscoveryAuth():
            return DISCOVERY_AUTH
        case Leftover():
            return ("leftover", item.path)
        case _:
            assert_never(item)


def mapping_of(item: MappedLun) -> Key:
    """Return target, tag, initiator and storage object: what stays when the LUN number changes."""
    return item.iqn, item.tag, item.initiator, item.storage_object


def parents_of(item: Object) -> tuple[Key, ...]:
    """Return the keys of the objects that must exist before this one."""
    match item:
        case StorageObject() | Target() | DiscoveryAuth() | Leftover():
            return ()
        case Tpg():
            return (("target", item.iqn),)
        case TpgLun():
            return (("tpg", item.iqn, item.tag), ("storage_object", item.storage_object))
        case MappedLun():
            return (
                ("acl", item.iqn, item.tag, item.initiator),
                ("lun", item.iqn, item.tag, item.storage_object),
            )
        case NodeAcl() | Portal() | Enabled():
            return (("tpg", item.iqn, item.tag),)
        case _:
            assert_never(item)


def fixed_fields(item: Object) -> object:
    """Return the fields that can't change in place: if they differ, the object is deleted and created again.

    The size of a file can grow in place, since LIO accepts fd_dev_size while it is exported. Credentials
    apply from the next login on. Write protection and most attributes are set live. All other fields are set
    at creation.
    """
    match item:
        case StorageObject():
            size = None if PLUGINS[item.plugin].resizable else item.size
            early = tuple(setting for setting in item.attributes if _is_early(item.plugin, setting[0]))
            identity = (item.serial, item.vendor, item.product)
            return (item.plugin, item.path, size, *identity, early, item.access, item.opened)
        case MappedLun():
            return item.storage_object
        case Enabled():
            return item.port_id
        case Target() | Tpg() | TpgLun() | NodeAcl() | Portal() | DiscoveryAuth() | Leftover():
            return None
        case _:
            assert_never(item)


def _is_early(plugin: str, name: str) -> bool:
    row = STORAGE.get((plugin, name))
    return row is not None and row.when is When.BEFORE_EXPORT


def answering_tpg(item: Object) -> Key | None:
    """Return the key of the Enabled of a mapped LUN 0, None for other objects.

    While the TPG is enabled, LIO itself answers for a missing LUN 0: it is ready, refuses writes and reads
    zeros, and no path checker detects that (transport_lookup_cmd_lun in drivers/target/target_core_device.c).
    Other missing LUNs are refused, so that the path is lost.
    """
    if isinstance(item, MappedLun) and item.lun == 0:
        return ("enabled", item.iqn, item.tag)
    return None


def lun_served_by(item: Object) -> str | None:
    """Return the name of the Lun that the object belongs to, None for objects that Luns share."""
    match item:
        case StorageObject():
            return item.name
        case TpgLun() | MappedLun():
            return item.storage_object
        case _:
            return None


def by_key(items: Iterable[DesiredObject]) -> dict[Key, DesiredObject]:
    """Return the objects by key."""
    return {key_of(item): item for item in items}


def show_key(key: Key) -> str:
    """Return a key as text, for messages and status documents: `mapped_lun iqn... 1 iqn... 0`."""
    return " ".join(str(part) for part in key)
