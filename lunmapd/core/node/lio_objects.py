"""The objects of LIO on one node: flat, keyed, immutable. Desired and observed are both made of these.

An object is known by what it means, not by where the kernel keeps it: a LUN by its target and storage object, not
by its number in the TPG. Numbers that only the kernel cares about (HBA index, TPG LUN) are found at the edge.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never

from msgspec import Struct

from lunmapd.core.base.attributes import STORAGE, When
from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.password import Secret

Key = tuple[str | int, ...]
AttributeValues = tuple[tuple[str, str], ...]


class Alua(Struct, frozen=True, gc=False):
    """The target port group through which this node shows a storage object: its id is the node's TPG tag.

    `intact` tells whether all else of it is as lunmapd makes every group.
    """

    id: int
    state: AluaState
    preferred: bool = False
    intact: bool = True

    def __str__(self) -> str:
        altered = "" if self.intact else ", altered by hand"
        return f"{self.state}{' and preferred' if self.preferred else ''}, as group {self.id}{altered}"


class DeclaredSize(Struct, frozen=True, gc=False, array_like=True):
    """The bytes that a device must have at least, as the map declares; 0 if it declares none.

    The size is checked once, when the storage object is created. It is no kernel state, so a plan must not see a
    difference between two storage objects that differ in it alone: all instances are equal.
    """

    size: int = 0

    def __eq__(self, other: object) -> bool:
        """Return True for every other instance."""
        return isinstance(other, DeclaredSize)

    def __hash__(self) -> int:
        """Return the hash of every instance."""
        return 0


UNDECLARED_SIZE = DeclaredSize()


class StorageObject(Struct, frozen=True, tag=True, gc=False, omit_defaults=True):
    """A backing in LIO's core; `size` is in bytes, 0 for a device, which has its own and is `declared` to have so much.

    `path` is the configuration of a `user` one, and empty for `rd_mcp`. The attributes are those that lunmapd governs,
    then those that the map sets, by name; vendor and product are empty where they are LIO's own. `alua` is None where the
    kernel's own target port group will do, since no other node shows it.
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


class Target(Struct, frozen=True, tag=True, gc=False):
    """An iSCSI target name on this node."""

    iqn: str


class Tpg(Struct, frozen=True, tag=True, gc=False):
    """A target portal group. Made disabled; Enabled opens it.

    The settings are those that lunmapd governs, then by name those others of attributes.py that are not at their default.
    """

    iqn: str
    tag: int
    attributes: AttributeValues = ()
    parameters: AttributeValues = ()


class TpgLun(Struct, frozen=True, tag=True, gc=False):
    """A storage object exported in a TPG; visible to nobody before it is mapped.

    `group` is the id of its target port group, 0 for the kernel's own.
    """

    iqn: str
    tag: int
    storage_object: str
    group: int = 0


class ChapCredentials(Struct, frozen=True, gc=False):
    """What an initiator proves, and what the target proves to it: CHAP users and passwords, empty where nothing is asked."""

    userid: str = ""
    password: Secret = Secret("")
    userid_mutual: str = ""
    password_mutual: Secret = Secret("")


NO_CREDENTIALS = ChapCredentials()


class NodeAcl(Struct, frozen=True, tag=True, gc=False):
    """An initiator that may log in to a TPG."""

    iqn: str
    tag: int
    initiator: str
    credentials: ChapCredentials = NO_CREDENTIALS


class DiscoveryAuth(Struct, frozen=True, tag=True, gc=False):
    """That discovery on this node asks for CHAP; LIO has one for all of its targets."""

    credentials: ChapCredentials = NO_CREDENTIALS


class MappedLun(Struct, frozen=True, tag=True, gc=False):
    """A TPG's LUN as one initiator sees it, under the number `lun`."""

    iqn: str
    tag: int
    initiator: str
    lun: int
    storage_object: str
    write_protect: bool


class Portal(Struct, frozen=True, tag=True, gc=False):
    """An address that a TPG listens on, spelled as in configfs; with `iser` for RDMA too."""

    iqn: str
    tag: int
    address: str
    iser: bool = False


class Enabled(Struct, frozen=True, tag=True, gc=False):
    """That a TPG accepts logins, with the relative target port id that it then has.

    `port_id` can be set only while the TPG is disabled (drivers/target/target_core_fabric_configfs.c); 0 where
    the kernel has no such file.
    """

    iqn: str
    tag: int
    port_id: int


class Leftover(Struct, frozen=True, tag=True, gc=False):
    """Half of an object that a crash left behind, or a second copy: never desired, always removed first.

    `kind` is the class of the whole object, `path` its directory below configfs' target directory.
    """

    kind: str
    path: str


Object = (
    StorageObject | Target | Tpg | TpgLun | NodeAcl | MappedLun | Portal | Enabled | DiscoveryAuth | Leftover
)
Objects = Mapping[Key, Object]

NO_OBJECTS: Objects = {}

DISCOVERY_CLAIM = "discovery_auth"
"""The claim that says that what discovery asks for is ours; it stands among names of targets, and is none."""

DISCOVERY_AUTH: Key = (DISCOVERY_CLAIM,)

CREATION_RANKS: Mapping[type, int] = {
    DiscoveryAuth: 0, StorageObject: 1, Target: 2, Tpg: 3, TpgLun: 4, NodeAcl: 5, MappedLun: 6, Portal: 7,
    Enabled: 8,
}  # fmt: skip


def key_of(item: Object) -> Key:  # noqa: C901, PLR0911 - one arm a kind
    """Return what the object is known by."""
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


def parents_of(item: Object) -> tuple[Key, ...]:
    """Return the keys of what must exist before the object can."""
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
    """Return what can't change in place: where this differs, the object is replaced.

    The size of a file grows in place (fd_dev_size is accepted while exported), credentials count for the next login,
    write protection and most attributes are set live, all else is decided at creation.
    """
    match item:
        case StorageObject():
            size = None if PLUGINS[item.plugin].resizable else item.size
            early = tuple(setting for setting in item.attributes if _is_early(item.plugin, setting[0]))
            return (item.plugin, item.path, size, item.serial, item.vendor, item.product, early)
        case MappedLun():
            return item.storage_object
        case Enabled():
            return item.port_id
        case Target() | Tpg() | TpgLun() | NodeAcl() | Portal() | DiscoveryAuth() | Leftover():
            return None
        case _:
            assert_never(item)


def _is_early(plugin: str, name: str) -> bool:
    known = STORAGE.get((plugin, name))
    return known is not None and known.when is When.BEFORE_EXPORT


def answering_tpg(item: Object) -> Key | None:
    """Return the Enabled in whose time LIO answers in place of a mapped LUN that is gone: of a LUN 0; None for all else.

    It is ready then, refuses writes and reads zeros, which no path checker notices (transport_lookup_cmd_lun in
    drivers/target/target_core_device.c). Other numbers are refused, and the path is lost.
    """
    if isinstance(item, MappedLun) and item.lun == 0:
        return ("enabled", item.iqn, item.tag)
    return None


def lun_served_by(item: Object) -> str | None:
    """Return the name of the Lun that the object serves, None for what Luns share."""
    match item:
        case StorageObject():
            return item.name
        case TpgLun() | MappedLun():
            return item.storage_object
        case _:
            return None


def by_key(items: Iterable[Object]) -> dict[Key, Object]:
    """Index objects by key."""
    return {key_of(item): item for item in items}


def show_key(name: Key) -> str:
    """Print a key for people and status documents: `mapped_lun iqn... 1 iqn... 0`."""
    return " ".join(str(part) for part in name)
