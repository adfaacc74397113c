"""Hypothesis strategies: maps that keep every rule, and sets of LIO objects that a kernel could have.

Hypothesis validates each new strategy, which takes longer than to draw from it. So the strategies here are
made once: as constants, or by functions that remember what they have made.
"""

from functools import cache
from typing import TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.backings import Backing, Block, FileIO, RamDisk, User
from lunmapd.core.base.lunmap import (
    CLOSED,
    Access,
    AluaState,
    Failback,
    FloatingGroup,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Scope,
    Shared,
    Target,
    TpgId,
    initiators_of,
    reporting_nodes,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.core.placement.leased_groups import floating_groups

NODES = ("n1", "n2", "n3")
TARGETS = ("iqn.2026-01.org.example:a", "iqn.2026-01.org.example:b")
INITIATORS = ("iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2", "iqn.2026-01.org.example:h3")
GROUPS = ("hosts", "vms")
LUNS = ("db1", "db2", "logs", "vm-7")

MIB = 1 << 20

_T = TypeVar("_T")
_BOOLEANS = st.booleans()
_SCOPES = st.sampled_from(Scope)
_STATES = st.sampled_from(AluaState)
_ACCESSES = st.sampled_from(Access)
_NODE_STATES = st.sampled_from(NodeState)
_TARGET_SETS = st.sets(st.sampled_from(TARGETS))
_TARGET_ATTRIBUTES = st.sampled_from(({}, {"login_timeout": 20}, {"login_timeout": 15}))
_TARGET_PARAMETERS = st.sampled_from(({}, {"ImmediateData": "No"}))
_SERVED_BY = st.lists(st.sampled_from(NODES), unique=True)
_FLOATING = tuple(
    st.dictionaries(
        st.just("gold"),
        st.builds(
            FloatingGroup,
            st.just(1001 + index),
            st.just((f"10.0.9.{index}:3260",)),
            st.permutations(NODES).map(tuple),
            st.just(1001 + index),
            st.sampled_from(Failback),
        ),
    )
    for index in range(len(TARGETS))
)
_GROUP_SETS = st.sets(st.sampled_from(GROUPS))
_MEMBERS = st.lists(st.sampled_from(INITIATORS), unique=True)
_LABELS = st.sampled_from(({}, {"rack": "r1"}))
_DEVICES = st.sampled_from(({}, {"/dev/vg/": "/dev/other/"}))
# Attributes that devices, files and memory take, some of them before the export only.
_ATTRIBUTES = st.fixed_dictionaries(
    {}, optional={"block_size": st.sampled_from((512, 4096)), "emulate_rsoc": st.sampled_from((0, 1))}
)


@cache
def _one_of(*values: _T) -> st.SearchStrategy[_T]:
    return st.sampled_from(values)


@cache
def _some_of(values: tuple[str, ...], most: int | None = None) -> st.SearchStrategy[set[str]]:
    return st.sets(st.sampled_from(values), max_size=most)


@cache
def _few_of(values: tuple[_T, ...], most: int) -> st.SearchStrategy[list[_T]]:
    return st.lists(st.sampled_from(values), max_size=most)


@st.composite
def leases(draw: st.DrawFn, lunmap: Lunmap) -> frozenset[TpgId]:
    """Draw the TPGs of floating groups that a lease lets be enabled."""
    groups = [TpgId(iqn, group.tpg_tag) for iqn, _, group in floating_groups(lunmap)]
    return draw(st.frozensets(st.sampled_from(groups))) if groups else frozenset()


@st.composite
def lunmaps(draw: st.DrawFn, *, floating: bool = True) -> Lunmap:
    """Draw a map that keeps every rule."""
    names = draw(_TARGET_SETS)
    targets = {
        iqn: Target(
            {
                name: PortalGroup(port_id, draw(_one_of((), (f"[fd00::{NODES.index(name) + 1}]:3260",))))
                for port_id, name in enumerate(draw(_SERVED_BY), 1 + 10 * index)
            },
            attributes=draw(_TARGET_ATTRIBUTES),
            parameters=draw(_TARGET_PARAMETERS),
            floating=draw(_FLOATING[index]) if floating else {},
        )
        for index, iqn in enumerate(sorted(names))
    }
    initiators = {iqn: Initiator(draw(_one_of("", "db host"))) for iqn in INITIATORS}
    groups = {name: Group(tuple(draw(_MEMBERS))) for name in draw(_GROUP_SETS)}
    lunmap = Lunmap({}, targets, initiators, groups, draw(_nodes()))
    taken: set[tuple[str, str, int]] = set()
    luns = {
        name: draw(_luns(index, name, lunmap, taken)) for index, name in enumerate(LUNS) if draw(_BOOLEANS)
    }
    return replace(lunmap, luns=luns)


@st.composite
def _nodes(draw: st.DrawFn) -> dict[str, Node]:
    return {
        name: Node(
            tag,
            (f"10.0.0.{tag}:3260", f"[fd00::{tag}]:3260"),
            labels=draw(_LABELS),
            devices=draw(_DEVICES),
            state=draw(_NODE_STATES),
        )
        for tag, name in enumerate(NODES, 1)
    }


@st.composite
def _maps(draw: st.DrawFn, lunmap: Lunmap, taken: set[tuple[str, str, int]]) -> tuple[Map, ...]:
    who = [("initiator", iqn) for iqn in lunmap.initiators] + [("group", name) for name in lunmap.groups]
    pairs = tuple((target, one) for target in sorted(lunmap.targets) for one in who)
    maps: list[Map] = []
    seen: set[tuple[str, str]] = set()
    for target, (kind, name) in draw(_few_of(pairs, 6)) if pairs else []:
        entry = Map(target, 0, **{kind: name}, access=draw(_ACCESSES))
        members = {(target, initiator) for initiator in initiators_of(lunmap, entry)}
        free = [number for number in range(12) if not any((*pair, number) in taken for pair in members)]
        if members & seen or not free:
            continue
        number = draw(_one_of(*free))
        seen |= members
        taken |= {(*pair, number) for pair in members}
        maps.append(replace(entry, lun=number))
    return tuple(maps)


def _preferred(lunmap: Lunmap, lun: Lun, nodes: tuple[str, ...]) -> st.SearchStrategy[str | tuple[str, ...]]:
    """Give a preferred node of a Lun or none, or a list where the rules allow one."""
    one: st.SearchStrategy[str | tuple[str, ...]] = _one_of("", *nodes)
    targets = {entry.target for entry in lun.maps}
    floats = any(lunmap.targets[iqn].floating for iqn in targets)
    if len(nodes) < 2 or len(targets) != 1 or floats or lun.others is AluaState.OPTIMIZED:
        return one
    return one | st.permutations(nodes).map(tuple)


@st.composite
def _luns(draw: st.DrawFn, index: int, name: str, lunmap: Lunmap, taken: set[tuple[str, str, int]]) -> Lun:
    path = f"/dev/vg/{name}-{draw(_one_of(0, 1))}"
    overrides = {"n2": f"/dev/n2/{name}"} if draw(_BOOLEANS) else {}
    backings: tuple[Backing, ...] = (
        Block(path, overrides), FileIO(path, overrides), User(f"rbd/{name}"), RamDisk(volatile=True),
    )  # fmt: skip
    lun = Lun(
        backings[draw(_one_of(*range(len(backings))))],
        serial=f"{index:02x}" + "5" * 30,
        size=draw(_one_of(MIB, 2 * MIB)),
        vendor=draw(_one_of("", "ACME")),
        others=draw(_STATES),
        maps=draw(_maps(lunmap, taken)),
    )
    everywhere = reporting_nodes(lunmap, lun)
    most = 1 if isinstance(lun.backing, RamDisk) else None
    some = tuple(sorted(draw(_some_of(everywhere, most)))) if everywhere else ()
    if isinstance(lun.backing, RamDisk):
        some = some or everywhere[:1]
    nodes = some or everywhere
    preferred = "" if isinstance(lun.backing, User) else draw(_preferred(lunmap, lun, nodes))
    may_have_hook = isinstance(lun.backing, Block) and isinstance(preferred, tuple) and lun.others in CLOSED
    return replace(
        lun,
        nodes=some,
        attributes={} if isinstance(lun.backing, User) else draw(_ATTRIBUTES),
        preferred=preferred,
        hook=draw(_one_of("", "drbd")) if may_have_hook else "",
        shared=Shared(draw(_SCOPES), draw(_SCOPES)) if len(nodes) > 1 else None,
    )


_STORAGE_OBJECTS: st.SearchStrategy[list[lio_objects.Object]] = st.lists(
    st.builds(
        lio_objects.StorageObject,
        st.sampled_from(LUNS),
        st.sampled_from(("iblock", "fileio")),
        st.sampled_from(("/dev/a", "/dev/b")),
        st.sampled_from((0, MIB)),
        st.sampled_from(("a" * 32, "b" * 32)),
        st.sampled_from(((), (("emulate_pr", "0"),))),
    ),
    max_size=4,
    unique_by=lio_objects.key_of,
)
_LEFTOVERS = st.sets(st.sampled_from(("hba", "lun")))
_TAGS = st.sets(st.sampled_from((1, 2)))
_PORTALS = st.sets(st.sampled_from(("10.0.0.1:3260", "10.0.0.9:3260")))


@st.composite
def kernels(draw: st.DrawFn) -> dict[lio_objects.Key, lio_objects.Object]:
    """Draw our objects in a kernel: any consistent set, with leftovers and manually changed settings."""
    items: list[lio_objects.Object] = []
    items += draw(_STORAGE_OBJECTS)
    items += [lio_objects.Leftover(kind, f"core/iblock_1/{kind}") for kind in draw(_LEFTOVERS)]
    for iqn in draw(_TARGET_SETS):
        items.append(lio_objects.Target(iqn))
        for tag in draw(_TAGS):
            items += draw(
                _tpgs(iqn, tag, [item.name for item in items if isinstance(item, lio_objects.StorageObject)])
            )
    return {lio_objects.key_of(item): item for item in items}


@st.composite
def _tpgs(draw: st.DrawFn, iqn: str, tag: int, names: list[str]) -> list[lio_objects.Object]:
    settings = draw(_one_of(TPG_ATTRIBUTES, (("authentication", "1"),)))
    items: list[lio_objects.Object] = [lio_objects.Tpg(iqn, tag, settings, TPG_PARAMETERS)]
    luns = draw(_some_of(tuple(names))) if names else set()
    acls = draw(_some_of(INITIATORS))
    items += [lio_objects.TpgLun(iqn, tag, name) for name in luns]
    items += [lio_objects.NodeAcl(iqn, tag, initiator) for initiator in acls]
    for initiator in sorted(acls):
        for number, name in enumerate(draw(_few_of(tuple(sorted(luns)), 3)) if luns else []):
            items.append(lio_objects.MappedLun(iqn, tag, initiator, number, name, draw(_BOOLEANS)))
    items += [lio_objects.Portal(iqn, tag, address) for address in draw(_PORTALS)]
    if draw(_BOOLEANS):
        items.append(lio_objects.Enabled(iqn, tag, draw(_one_of(0, 1))))
    return items
