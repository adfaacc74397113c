"""The foreign configuration: objects of another tool, read from the kernel or from a saveconfig.json."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP, DefaultGroup
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
    default_group: DefaultGroup = DEFAULT_GROUP
    problems: tuple[str, ...] = ()


class ForeignMap(Struct, frozen=True):
    """A mapped LUN: its number, the number of the TPG's LUN, and whether it is read-only."""

    number: int
    lun: int
    read_only: bool = False


class ForeignAcl(Struct, frozen=True):
    """An initiator of a TPG. `overrides_authentication` as in NodeAcl; `problems` as in ForeignStorage.

    `tag` is a name that targetcli shows in place of the initiator's; no host sees it.
    """

    initiator: str
    credentials: lio_objects.ChapCredentials = lio_objects.NO_CREDENTIALS
    maps: tuple[ForeignMap, ...] = ()
    problems: tuple[str, ...] = ()
    overrides_authentication: bool = False
    tag: str = ""


class ForeignTpg(Struct, frozen=True):
    """A TPG. `luns` maps LUN numbers to keys of storage objects, `portals` maps addresses to iSER or not.

    `port_id` is 0 if it is not known. `dynamic` are the initiators that are logged in without an ACL.
    `problems` as in ForeignStorage.
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
    dynamic: tuple[str, ...] = ()


class ForeignConfiguration(Struct, frozen=True):
    """The whole foreign configuration. The keys of `storage` are those of ForeignTpg.luns.

    `discovery` is None if discovery requires no CHAP. `others` maps targets of other fabrics, such as
    `loopback naa.5001405b7d2a8f1e`, to the keys of the storage objects that they export. `notes` are
    sentences about parts of a file that its tool skips.
    """

    storage: Mapping[str, ForeignStorage] = {}
    tpgs: tuple[ForeignTpg, ...] = ()
    discovery: lio_objects.ChapCredentials | None = None
    sessions: tuple[IscsiSession, ...] = ()
    others: Mapping[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()


def own_tpgs(foreign: ForeignConfiguration) -> list[ForeignTpg]:
    """Return the TPG of each target through which this node serves it, or would: the first enabled one.

    ceph-iscsi and gluster-block make a TPG for each gateway on every gateway, and enable only its own.
    """
    chosen: dict[str, ForeignTpg] = {}
    for tpg in foreign.tpgs:
        if tpg.iqn not in chosen or (tpg.enabled and not chosen[tpg.iqn].enabled):
            chosen[tpg.iqn] = tpg
    return list(chosen.values())


def remote_tpgs(foreign: ForeignConfiguration) -> list[ForeignTpg]:
    """Return the other TPGs, which are disabled: they show other gateways in discovery."""
    own = {(tpg.iqn, tpg.tag) for tpg in own_tpgs(foreign)}
    return [tpg for tpg in foreign.tpgs if (tpg.iqn, tpg.tag) not in own and not tpg.enabled]
