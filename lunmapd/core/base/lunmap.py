"""The Lunmap: Luns with their maps, targets, initiators, groups and nodes.

Every object is one document and one znode. An object does not hold its own name: the name is its key, so the
two can't disagree. A Lun holds its maps; the views by target or by initiator are computed.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from sys import intern
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr

from lunmapd.core.base.backings import Backing, RamDisk, User, source


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
        for name in ("target", "initiator", "group"):
            force_setattr(self, name, intern(str(getattr(self, name))))


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
        for entry in self.maps[1:]:
            if entry.lun == self.maps[0].lun:
                force_setattr(entry, "lun", self.maps[0].lun)


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
        documents: Mapping[str, Document] = getattr(self, section)
        return documents

    def documents(self) -> Iterator[tuple[Section, str, Document]]:
        """Yield every object with its section and name."""
        for section in SECTIONS:
            for name, document in self.section(section).items():
                yield section, name, document


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


class GroupId(NamedTuple):
    """The target of a floating portal group, and its name, which is unique in the target."""

    target: str
    name: str


class TpgId(NamedTuple):
    """A TPG: its target and its tag."""

    target: str
    tag: int


def floating_groups(lunmap: Lunmap) -> Iterator[tuple[str, str, FloatingGroup]]:
    """Yield each floating portal group with its target and its name."""
    for iqn, target in lunmap.targets.items():
        for name, group in target.floating.items():
            yield iqn, name, group


TAKEOVER_SEPARATOR = ","
"""Joins the nodes of a takeover group to its name. No name of a node or a floating portal group has it."""


def preferred_nodes(lun: Lun) -> tuple[str, ...]:
    """Return the nodes whose paths initiators may be led to, in order; none if all paths are equal."""
    if isinstance(lun.preferred, str):
        return (lun.preferred,) if lun.preferred else ()
    return lun.preferred


def takeover_group(lun: Lun) -> GroupId | None:
    """Return the takeover group of a Lun, None if no node takes it over.

    The Luns of one target with the same list of preferred nodes are one group: they have one owner, and move
    together. The group's name is that of its nodes, such as `n1,n2`.
    """
    if isinstance(lun.preferred, str) or len(lun.preferred) < 2 or not lun.maps:  # noqa: PLR2004 - a list
        return None
    return GroupId(lun.maps[0].target, TAKEOVER_SEPARATOR.join(lun.preferred))


def takeover_nodes(group: GroupId) -> tuple[str, ...]:
    """Return the nodes of a takeover group, in order; none for a floating portal group."""
    nodes = tuple(group.name.split(TAKEOVER_SEPARATOR))
    return nodes if len(nodes) > 1 else ()


def listed_nodes(group: GroupId, target: Target | None) -> tuple[str, ...]:
    """Return the nodes that may own a group of `target`, in order; none if the target lacks the group."""
    floating = None if target is None else target.floating.get(group.name)
    return takeover_nodes(group) or (() if floating is None else floating.nodes)


def describe_group(group: GroupId) -> str:
    """Return the words for a group with its target."""
    kind = "takeover group" if takeover_nodes(group) else "floating group"
    return f"{kind} {group.name} of {group.target}"


def takeover_luns(lunmap: Lunmap) -> dict[GroupId, tuple[str, ...]]:
    """Return the names of the Luns of each takeover group."""
    found: dict[GroupId, list[str]] = {}
    # A node asks in each cycle, and most Luns have no list: no function is called for them.
    listed = ((name, lun) for name, lun in lunmap.luns.items() if not isinstance(lun.preferred, str))
    for name, lun in listed:
        if (group := takeover_group(lun)) is not None:
            found.setdefault(group, []).append(name)
    return {group: tuple(names) for group, names in found.items()}


def leased_groups(lunmap: Lunmap) -> dict[GroupId, FloatingGroup]:
    """Return each group that one node at a time owns: the floating portal groups, then the takeover groups.

    A takeover group has no TPG of its own (`tpg_tag` 0) and no portals. What the map says for the takeover
    groups of its target holds for it.
    """
    floating = {GroupId(iqn, name): group for iqn, name, group in floating_groups(lunmap)}
    taken_over = {group: _as_floating(lunmap, group) for group in takeover_luns(lunmap)}
    return {**floating, **taken_over}


def _as_floating(lunmap: Lunmap, group: GroupId) -> FloatingGroup:
    target = lunmap.targets.get(group.target)
    times = _TAKEOVER if target is None else target.takeover
    return FloatingGroup(
        0,
        (),
        takeover_nodes(group),
        failback=times.failback,
        failback_after=times.failback_after,
        grace=times.grace,
    )


def groups_of(lunmap: Lunmap, lun: Lun) -> tuple[GroupId, ...]:
    """Return the groups whose owner serves a Lun: its takeover group, or floating ones of its targets."""
    if (group := takeover_group(lun)) is not None:
        return (group,)
    targets = dict.fromkeys(entry.target for entry in lun.maps if entry.target in lunmap.targets)
    return tuple(GroupId(iqn, name) for iqn in targets for name in lunmap.targets[iqn].floating)


def groups_on(target: Target, node: str) -> dict[str, FloatingGroup]:
    """Return the floating portal groups of a target that a node may own, by name."""
    return {name: group for name, group in target.floating.items() if node in group.nodes}


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


def state_on(lun: Lun, node: str, owner: str | None = None) -> AluaState:
    """Return the ALUA state of a Lun on a node, if other nodes report the Lun too.

    `owner` is that of the Lun's takeover group, "" for none. Without it, it is the state of each node of the
    group as its owner.
    """
    nodes = preferred_nodes(lun)
    if nodes and owner is not None and takeover_group(lun) is not None:
        nodes = (owner,)
    return AluaState.OPTIMIZED if not nodes or node in nodes else lun.others


def offered_state(lunmap: Lunmap, lun: Lun, node: str, owner: str | None = None) -> tuple[AluaState, bool]:
    """Return the ALUA state that a node reports for a Lun of several nodes, and whether as the preferred one.

    It is that of `state_on`, but hosts are led away from a drained node: that node reports an open path as
    non-optimized, and the other nodes report theirs as optimized if the preferred node is the drained one. A
    path that the map closes stays closed. A Lun of a takeover group has the state of `state_on`: its owner
    is not drained. It has no preferred node, since the preferred bit would have to move with the owner.
    """
    state = state_on(lun, node, owner)
    if state in CLOSED or takeover_group(lun) is not None:
        return state, False
    if is_drained(lunmap, node):
        return AluaState.NON_OPTIMIZED, False
    if any(is_drained(lunmap, preferred) for preferred in preferred_nodes(lun)):
        return AluaState.OPTIMIZED, False
    return state, node in preferred_nodes(lun)


def is_drained(lunmap: Lunmap, node: str) -> bool:
    """Return whether the map has the node, and drains it."""
    itself = lunmap.nodes.get(node)
    return itself is not None and itself.state is NodeState.DRAINED


def has_read_only_map(lun: Lun) -> bool:
    """Return whether some initiator may only read the Lun."""
    return any(entry.access is Access.READ_ONLY for entry in lun.maps)


def closed_nodes(lunmap: Lunmap, lun: Lun, owner: str | None = None) -> frozenset[str]:
    """Return the reporting nodes through which the Lun accepts no I/O, since the map says so.

    `owner` is that of the Lun's takeover group, "" for none; without it each node of the group may be it.
    """
    nodes = reporting_nodes(lunmap, lun)
    return frozenset(node for node in nodes if len(nodes) > 1 and state_on(lun, node, owner) in CLOSED)


def source_on(lun: Lun, name: str, node: Node) -> str:
    """Return the Lun's path or configuration on node `name`: its override, or as `devices` rewrites it."""
    if isinstance(lun.backing, RamDisk):
        return ""
    override = lun.backing.overrides.get(name)
    if override is not None or isinstance(lun.backing, User):
        return override or source(lun.backing)
    return rewrite_path(node.devices, lun.backing.path)


def rewrite_path(devices: Mapping[str, str], path: str) -> str:
    """Return `path` with the longest prefix that matches whole components replaced; `path` if none does."""
    fitting = [prefix for prefix in devices if has_prefix(path, prefix)]
    if not fitting:
        return path
    longest = max(fitting, key=lambda prefix: len(prefix.rstrip("/")))
    return devices[longest].rstrip("/") + path[len(longest.rstrip("/")) :] or "/"


def has_prefix(path: str, prefix: str) -> bool:
    """Return whether `path` is `prefix` or lies below it."""
    return f"{path}/".startswith(f"{prefix.rstrip('/')}/")
