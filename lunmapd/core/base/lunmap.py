"""The Lunmap as admins mean it: Luns with their maps, targets, initiators, groups and nodes.

Every object is one document and one znode. An object does not hold its own name: the name is the key under which
it stands, so the two can't disagree. A Lun holds its maps; the views by target or by initiator are computed.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from sys import intern
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from lunmapd.core.base.backings import Backing, RamDisk, User, source


class Access(StrEnum):
    """What an initiator may do with a mapped LUN."""

    READ_WRITE = "rw"
    READ_ONLY = "ro"


class AluaState(StrEnum):
    """The asymmetric access state of a Lun on a node (SPC-4, section 5.15.2)."""

    OPTIMIZED = "optimized"
    NON_OPTIMIZED = "non-optimized"
    STANDBY = "standby"
    UNAVAILABLE = "unavailable"


CLOSED = frozenset({AluaState.STANDBY, AluaState.UNAVAILABLE})
"""The states in which a path takes no reads and writes, until the map says otherwise: initiators can't activate one of ours."""


class Scope(StrEnum):
    """Whether initiators may use what LIO keeps in each node by itself: not at all, or knowing that nodes don't share it."""

    OFF = "off"
    PER_NODE = "per-node"


class Authentication(StrEnum):
    """What a target asks of those who log in: nothing but their name, CHAP, or CHAP both ways (RFC 7143, section 12.1)."""

    NONE = "none"
    CHAP = "chap"
    MUTUAL_CHAP = "mutual-chap"


class NodeState(StrEnum):
    """Whether a node's TPGs accept logins; a drained node keeps everything else as it is."""

    ACTIVE = "active"
    DRAINED = "drained"


class Map(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One initiator, or each one of a group, sees the Lun as number `lun` (0-16383) through `target`."""

    target: str
    lun: int
    initiator: str = ""
    group: str = ""
    access: Access = Access.READ_WRITE

    def __post_init__(self) -> None:
        """Have one text for each name: JSON gives each map texts of its own, and many maps have a few names."""
        for name in ("target", "initiator", "group"):
            force_setattr(self, name, intern(str(getattr(self, name))))


class Shared(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The explicit choice for a Lun that several nodes report: what of LIO's state for each node is offered."""

    reservations: Scope
    compare_and_write: Scope


class Lun(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A volume and its masking. `size` is in bytes; None, for devices only, takes what the device has.

    `serial` is the identity of the volume on every node and never changes. A file may leave it out: the
    commit then keeps the serial that the Lun has, or gives it a new one. `vendor` and `product` are those of
    INQUIRY, LIO's own where they are empty; `attributes` are LIO's storage attributes (see attributes.py).
    `nodes` are those that report the Lun, all of its targets' where it is empty; `preferred` is the one whose paths
    initiators should use, and `others` the state of the remaining ones.
    """

    backing: Backing
    serial: str = ""
    size: int | None = None
    vendor: str = ""
    product: str = ""
    attributes: Mapping[str, int] = {}
    nodes: tuple[str, ...] = ()
    preferred: str = ""
    others: AluaState = AluaState.NON_OPTIMIZED
    shared: Shared | None = None
    maps: tuple[Map, ...] = ()


class PortalGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A target's presence on one node. `port_id` (1-65535) is the relative target port id, unique in the cluster.

    A file may leave it out: the commit then keeps the one that there is, or gives the lowest free one. `portals` are
    some of the node's, all of them where it is empty.
    """

    port_id: int = 0
    portals: tuple[str, ...] = ()


class Target(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An iSCSI target: each node in `nodes` serves it through its portals, in a TPG of its own.

    `attributes` and `parameters` are those of its TPGs (see attributes.py).
    """

    nodes: Mapping[str, PortalGroup]
    alias: str = ""
    authentication: Authentication = Authentication.NONE
    attributes: Mapping[str, int] = {}
    parameters: Mapping[str, str] = {}


class Chap(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A user name and the sealed text of its password (see secrets.py).

    A file may leave the password out: the commit then keeps the one that there is.
    """

    user: str
    password: str = ""


class Initiator(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A host that may log in: `chap` is what it proves to the target, `mutual_chap` what the target proves to it."""

    alias: str = ""
    chap: Chap | None = None
    mutual_chap: Chap | None = None


class Group(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Initiators that see the same Luns, such as the hosts of a cluster."""

    initiators: tuple[str, ...] = ()
    alias: str = ""


class Discovery(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """CHAP for discovery sessions, one for the whole node."""

    chap: Chap
    mutual_chap: Chap | None = None


class Node(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A storage node. `tpg_tag` (1-65535) is unique in the cluster; portals are `address:port`.

    `devices` rewrites the beginnings of the Luns' paths on this node, the longest that fits; a Lun's own override wins.
    """

    tpg_tag: int
    portals: tuple[str, ...] = ()
    iser_portals: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    devices: Mapping[str, str] = {}
    discovery: Discovery | None = None
    state: NodeState = NodeState.ACTIVE


Document = Lun | Target | Initiator | Group | Node
Section = Literal["luns", "targets", "initiators", "groups", "nodes"]
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
        found: Mapping[str, Document] = getattr(self, section)
        return found

    def documents(self) -> Iterator[tuple[Section, str, Document]]:
        """Yield every object with its section and name."""
        for section in SECTIONS:
            for name, document in self.section(section).items():
                yield section, name, document


EMPTY_MAP = Lunmap()


def initiators_of(lunmap: Lunmap, entry: Map) -> tuple[str, ...]:
    """Return who sees the Lun by this map: the initiator, or those of the group; none where there is no such group."""
    if not entry.group:
        return (entry.initiator,)
    group = lunmap.groups.get(entry.group)
    return group.initiators if group is not None else ()


def serving_nodes(lunmap: Lunmap, lun: Lun) -> set[str]:
    """Return the nodes that serve a target of the Lun's maps."""
    return {
        node
        for entry in lun.maps
        if entry.target in lunmap.targets
        for node in lunmap.targets[entry.target].nodes
    }


def reporting_nodes(lunmap: Lunmap, lun: Lun) -> tuple[str, ...]:
    """Return the nodes that report the Lun to anybody, sorted: those that serve it, and are named if it names some."""
    serving = serving_nodes(lunmap, lun)
    return tuple(sorted(serving.intersection(lun.nodes) if lun.nodes else serving))


def state_on(lun: Lun, node: str) -> AluaState:
    """Return the state in which a node shows a Lun that others show too."""
    return AluaState.OPTIMIZED if lun.preferred in {"", node} else lun.others


def source_on(lun: Lun, name: str, node: Node) -> str:
    """Return the path (or configuration) of the Lun on the node `name`: its own override, else rewritten by `devices`."""
    if isinstance(lun.backing, RamDisk):
        return ""
    override = lun.backing.overrides.get(name)
    if override is not None or isinstance(lun.backing, User):
        return override or source(lun.backing)
    path = lun.backing.path
    fitting = [prefix for prefix in node.devices if path.startswith(prefix)]
    longest = max(fitting, key=len, default="")
    return node.devices[longest] + path[len(longest) :] if longest else path
