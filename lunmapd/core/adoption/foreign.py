"""The foreign configuration: objects of another tool, read from the kernel or from a saveconfig.json."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession


class ForeignStorage(Struct, frozen=True):
    """A storage object; `attributes` are all known ones, by name.

    `read_only` means that LIO itself refuses writes. `default_group` is the kernel's own target port group,
    as in StorageObject. `problems` are the reasons why a map can't describe it.
    """

    name: str
    plugin: str
    path: str
    size: int
    serial: str
    attributes: Mapping[str, str] = {}
    vendor: str = ""
    product: str = ""
    read_only: bool = False
    default_group: lio_objects.DefaultGroup = lio_objects.DEFAULT_GROUP
    problems: tuple[str, ...] = ()


class ForeignMap(Struct, frozen=True):
    """A mapped LUN: its number, the number of the TPG's LUN, and whether it is read-only."""

    number: int
    lun: int
    read_only: bool = False


class ForeignAcl(Struct, frozen=True):
    """An initiator of a TPG. `problems` as in ForeignStorage."""

    initiator: str
    credentials: lio_objects.ChapCredentials = lio_objects.NO_CREDENTIALS
    maps: tuple[ForeignMap, ...] = ()
    problems: tuple[str, ...] = ()


class ForeignTpg(Struct, frozen=True):
    """A TPG. `luns` maps LUN numbers to keys of storage objects, `portals` maps addresses to iSER or not.

    `port_id` is 0 if it is not known; `problems` as in ForeignStorage.
    """

    iqn: str
    tag: int
    enabled: bool
    port_id: int = 0
    attributes: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    luns: Mapping[int, str] = {}
    acls: tuple[ForeignAcl, ...] = ()
    portals: Mapping[str, bool] = {}
    problems: tuple[str, ...] = ()


class ForeignConfiguration(Struct, frozen=True):
    """The whole foreign configuration. The keys of `storage` are those of ForeignTpg.luns.

    `discovery` is None if discovery requires no CHAP.
    """

    storage: Mapping[str, ForeignStorage] = {}
    tpgs: tuple[ForeignTpg, ...] = ()
    discovery: lio_objects.ChapCredentials | None = None
    sessions: tuple[IscsiSession, ...] = ()
