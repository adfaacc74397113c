"""The Lunmap: Luns with their maps, targets, initiators, groups and nodes.

Every object is one document and one znode. An object does not hold its own name: the name is its key, so the
two can't disagree. A Lun holds its maps; the views by target or by initiator are computed.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr

from lunmapd.core.base.backings import Backing, RamDisk
from lunmapd.core.base.sections import Section


class Access(StrEnum):
    """The access of an initiator to a mapped LUN."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"


class AluaState(StrEnum):
    """The asymmetric access state of a Lun on a node (SPC-4, section 5.15.2)."""

    OPTIMIZED = "optimized"
    NON_OPTIMIZED = "non-optimized"
    STANDBY = "standby"
    UNAVAILABLE = "unavailable"


CLOSED = frozenset({AluaState.STANDBY, AluaState.UNAVAILABLE})
"""The states in which a path accepts no reads and writes.

Only a change of the map or of the owner ends them: initiators can't activate a path of lunmapd.
"""

OPEN = frozenset(AluaState) - CLOSED
"""The states in which a path accepts reads and writes; it does so in none that has no name here."""


class Scope(StrEnum):
    """Whether initiators are offered a state that LIO keeps in each node: never, or on each node."""

    OFF = "off"
    PER_NODE = "per-node"


class Authentication(StrEnum):
    """The authentication that a target requires: none, CHAP, or CHAP both ways (RFC 7143, section 12.1)."""

    NONE = "none"
    CHAP = "chap"
    MUTUAL_CHAP = "mutual-chap"


class NodeState(StrEnum):
    """Whether a node's TPGs accept logins; a drained node keeps all other objects."""

    ACTIVE = "active"
    DRAINED = "drained"


class Failback(StrEnum):
    """Whether a floating portal group returns to a node that is preferred to its owner and is fit again."""

    AUTO = "auto"
    MANUAL = "manual"


_NONE: Mapping[str, Any] = {}
"""The empty mapping of all Luns that set no attribute, or whose backing has no overrides."""


class Map(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One initiator, or each one of a group, sees the Lun as number `lun` (0-16383) through `target`."""

    target: str
    lun: int
    initiator: str = ""
    group: str = ""
    access: Access = Access.READ_WRITE

    def __post_init__(self) -> None:
        """Share the texts of equal names: JSON decodes new texts for each map; many maps have few names."""
        force_setattr(self, "target", intern(str(self.target)))
        if self.initiator:
            force_setattr(self, "initiator", intern(str(self.initiator)))
        if self.group:
            force_setattr(self, "group", intern(str(self.group)))


class Shared(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The choice for a Lun that several nodes report: which per-node state of LIO is offered."""

    reservations: Scope
    compare_and_write: Scope


class Lun(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A volume and its masking.

    `serial` identifies the volume on every node and never changes. If a file omits it, the commit keeps the
    Lun's serial, or creates one. `size` is in bytes; None, for devices only, is the size of the device.
    `vendor` and `product` are those of INQUIRY, "" for LIO's own. `attributes` maps names of LIO's storage
    attributes to values (see attributes.py). `nodes` are the nodes that report the Lun; empty for all nodes
    of its targets. `preferred` is the node whose paths initiators should use, `others` the state of all other
    paths. A list of nodes, the first one preferred, makes the Lun one of a takeover group: the node that owns
    the group is the one whose paths initiators should use. `hook` names the program that promotes and demotes
    the storage of a Lun that one node at a time may write to, "" for none.
    """

    backing: Backing
    serial: str = ""
    size: int | None = None
    vendor: str = ""
    product: str = ""
    attributes: Mapping[str, int] = {}
    nodes: tuple[str, ...] = ()
    preferred: str | tuple[str, ...] = ""
    others: AluaState = AluaState.NON_OPTIMIZED
    hook: str = ""
    shared: Shared | None = None
    maps: tuple[Map, ...] = ()

    def __post_init__(self) -> None:
        """Share what JSON decodes anew for each Lun: empty mappings, and the number of all its maps."""
        if not self.attributes:
            force_setattr(self, "attributes", _NONE)
        if not isinstance(self.backing, RamDisk) and not self.backing.overrides:
            force_setattr(self.backing, "overrides", _NONE)
        if len(self.maps) > 1:
            number = self.maps[0].lun
            for entry in self.maps[1:]:
                if entry.lun == number:
                    force_setattr(entry, "lun", number)


class PortalGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A target on one node. `port_id` (1-65535) is the relative target port id, unique in the cluster.

    If a file omits the id, the commit keeps the present one, or takes the lowest free one. `portals` are
    some of the node's portals; empty for all of them.
    """

    port_id: int = 0
    portals: tuple[str, ...] = ()


class FloatingGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A TPG that one node at a time serves, its owner, through addresses that move with it.

    `tpg_tag` and `port_id` (1-65535) are unique in the cluster, among those of nodes and targets too. `nodes`
    are the nodes that may own it, the preferred one first. A preferred node that has been fit for
    `failback_after` seconds takes the group back, unless `failback` is manual. `grace` is the time in seconds
    between the end of the lease of an owner that did not release the group and its next owner. `interface` is
    the network interface that gets the addresses, "" for the one whose network has them.
    """

    tpg_tag: int
    portals: tuple[str, ...]
    nodes: tuple[str, ...]
    port_id: int = 0
    failback: Failback = Failback.AUTO
    failback_after: int = 30
    grace: int = 2
    interface: str = ""


class Takeover(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the takeover groups of a target change their owner; the fields are those of FloatingGroup."""

    failback: Failback = Failback.AUTO
    failback_after: int = 30
    grace: int = 2


_TAKEOVER = Takeover()


class Target(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An iSCSI target: each node in `nodes` serves it through its portals, in one TPG for each node.

    `attributes` and `parameters` are those of its TPGs, by name (see attributes.py). `floating` are its
    floating portal groups, by name. `takeover` is for its takeover groups.
    """

    nodes: Mapping[str, PortalGroup]
    alias: str = ""
    authentication: Authentication = Authentication.NONE
    attributes: Mapping[str, int] = {}
    parameters: Mapping[str, str] = {}
    floating: Mapping[str, FloatingGroup] = {}
    takeover: Takeover = _TAKEOVER


class Chap(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user name and its sealed password (see core/secrets/sealing.py).

    If a file omits the password, the commit keeps the present one.
    """

    user: str
    password: str = ""


class Initiator(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host that may log in: it proves `chap` to the target, and the target proves `mutual_chap` to it.

    A `probe` is no host: `lunmapctl probe` logs in with this name. It needs `chap`, and gets no Lun that it
    could write.
    """

    alias: str = ""
    chap: Chap | None = None
    mutual_chap: Chap | None = None
    probe: bool = False


class Group(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Initiators with the same Luns, such as the hosts of a cluster."""

    initiators: tuple[str, ...] = ()
    alias: str = ""


class Discovery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """CHAP for discovery sessions; a node has one for all targets."""

    chap: Chap
    mutual_chap: Chap | None = None


class Node(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A storage node. `tpg_tag` (1-65535) is unique in the cluster; portals are `address:port`.

    `devices` maps prefixes of the Luns' paths to their replacements on this node. A prefix matches whole path
    components, and '/' at its end makes no difference. The longest matching prefix is replaced, unless the
    Lun has an override for the node.
    """

    tpg_tag: int
    portals: tuple[str, ...] = ()
    iser_portals: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    devices: Mapping[str, str] = {}
    discovery: Discovery | None = None
    state: NodeState = NodeState.ACTIVE


Document = Lun | Target | Initiator | Group | Node
SECTIONS: Mapping[Section, type[Document]] = {
    "luns": Lun,
    "targets": Target,
    "initiators": Initiator,
    "groups": Group,
    "nodes": Node,
}


class Lunmap(Struct, frozen=True):
    """The whole map, each section by name."""

    luns: Mapping[str, Lun] = {}
    targets: Mapping[str, Target] = {}
    initiators: Mapping[str, Initiator] = {}
    groups: Mapping[str, Group] = {}
    nodes: Mapping[str, Node] = {}

    def section(self, section: Section) -> Mapping[str, Document]:
        """Return one section by its name."""
        documents: Mapping[str, Document] = getattr(self, section)
        return documents

    def documents(self) -> Iterator[tuple[Section, str, Document]]:
        """Yield every object with its section and name."""
        for section in SECTIONS:
            for name, document in self.section(section).items():
                yield section, name, document


class GroupId(NamedTuple):
    """The target of a floating portal group, and its name, which is unique in the target."""

    target: str
    name: str


class TpgId(NamedTuple):
    """A TPG: its target and its tag."""

    target: str
    tag: int


EMPTY_MAP = Lunmap()


def initiators_of(lunmap: Lunmap, entry: Map) -> tuple[str, ...]:
    """Return the initiators of a map: its initiator, or those of its group; none if the group is missing."""
    if not entry.group:
        return (entry.initiator,)
    group = lunmap.groups.get(entry.group)
    return group.initiators if group is not None else ()


def portals_of(node: Node, group: PortalGroup) -> tuple[str, ...]:
    """Return the portals of a target on a node: some of the node's, or all of them."""
    return group.portals or (*node.portals, *node.iser_portals)


def has_read_only_map(lun: Lun) -> bool:
    """Return whether some initiator may only read the Lun."""
    return any(entry.access is Access.READ_ONLY for entry in lun.maps)


def nodes_of(target: Target) -> AbstractSet[str]:
    """Return the nodes that serve a target: by a TPG of their own, or as a node of a floating group."""
    if not target.floating:
        return target.nodes.keys()
    return target.nodes.keys() | {node for group in target.floating.values() for node in group.nodes}


def serving_nodes(lunmap: Lunmap, lun: Lun) -> set[str]:
    """Return the nodes that serve a target of the Lun's maps."""
    targets = {entry.target for entry in lun.maps}
    return {node for iqn in targets if iqn in lunmap.targets for node in nodes_of(lunmap.targets[iqn])}


def reporting_nodes(lunmap: Lunmap, lun: Lun) -> tuple[str, ...]:
    """Return the nodes that report the Lun, sorted: those that serve it, limited to its `nodes` if set."""
    serving = serving_nodes(lunmap, lun)
    return tuple(sorted(serving.intersection(lun.nodes) if lun.nodes else serving))


def is_drained(lunmap: Lunmap, node: str) -> bool:
    """Return whether the map has the node, and drains it."""
    itself = lunmap.nodes.get(node)
    return itself is not None and itself.state is NodeState.DRAINED
