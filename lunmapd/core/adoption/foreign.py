"""What another tool has made in LIO, as it stands in the kernel or in a saveconfig.json: what an adoption starts from."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession


class ForeignStorage(Struct, frozen=True):
    """A storage object. `attributes` are all that are known; `trouble` says why a map can't say what it is, "" if it can."""

    name: str
    plugin: str
    path: str
    size: int
    serial: str
    attributes: Mapping[str, str] = {}
    vendor: str = ""
    product: str = ""
    trouble: str = ""


class ForeignMap(Struct, frozen=True):
    """A mapped LUN: its number, that of the TPG's LUN, and whether it is read-only."""

    number: int
    lun: int
    read_only: bool = False


class ForeignAcl(Struct, frozen=True):
    """An initiator of a TPG. `trouble` as in FoundStorage."""

    initiator: str
    credentials: lio_objects.ChapCredentials = lio_objects.NO_CREDENTIALS
    maps: tuple[ForeignMap, ...] = ()
    trouble: str = ""


class ForeignTpg(Struct, frozen=True):
    """A TPG. `luns` are number to the key of the storage object, `portals` addresses to whether they do iSER.

    `port_id` is 0 where it is not known.
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


class ForeignConfiguration(Struct, frozen=True):
    """All of it; storage objects by a key that is good within it. `discovery` is None where discovery asks for nothing."""

    storage: Mapping[str, ForeignStorage] = {}
    tpgs: tuple[ForeignTpg, ...] = ()
    discovery: lio_objects.ChapCredentials | None = None
    sessions: tuple[IscsiSession, ...] = ()
