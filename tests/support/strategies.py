"""Hypothesis strategies: maps that keep every rule, and sets of LIO objects that a kernel could have."""

from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.backings import Backing, Block, FileIO, RamDisk, User
from lunmapd.core.base.lunmap import (
    Access,
    AluaState,
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
    initiators_of,
    reporting_nodes,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import TPG_ATTRIBUTES, TPG_PARAMETERS

NODES = ("n1", "n2", "n3")
TARGETS = ("iqn.2026-01.org.example:a", "iqn.2026-01.org.example:b")
INITIATORS = ("iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2", "iqn.2026-01.org.example:h3")
GROUPS = ("hosts", "vms")
LUNS = ("db1", "db2", "logs", "vm-7")

MIB = 1 << 20


@st.composite
def lunmaps(draw: st.DrawFn) -> Lunmap:
    """Draw a map that keeps every rule."""
    names = draw(st.sets(st.sampled_from(TARGETS)))
    targets = {
        iqn: Target(
            {
                name: draw(_portal_groups(name, port_id))
                for port_id, name in enumerate(draw(_served_by()), 1 + 10 * index)
            },
            attributes=draw(st.sampled_from(({}, {"login_timeout": 20}, {"login_timeout": 15}))),
            parameters=draw(st.sampled_from(({}, {"ImmediateData": "No"}))),
        )
        for index, iqn in enumerate(sorted(names))
    }
    initiators = {iqn: Initiator(draw(st.sampled_from(("", "db host")))) for iqn in INITIATORS}
    groups = {
        name: Group(tuple(draw(st.lists(st.sampled_from(INITIATORS), unique=True))))
        for name in draw(st.sets(st.sampled_from(GROUPS)))
    }
    lunmap = Lunmap({}, targets, initiators, groups, draw(_nodes()))
    taken: set[tuple[str, str, int]] = set()
    luns = {
        name: draw(_luns(index, name, lunmap, taken))
        for index, name in enumerate(LUNS)
        if draw(st.booleans())
    }
    return replace(lunmap, luns=luns)


@st.composite
def _nodes(draw: st.DrawFn) -> dict[str, Node]:
    prefixes: tuple[dict[str, str], ...] = ({}, {"/dev/vg/": "/dev/other/"})
    return {
        name: Node(
            tag,
            (f"10.0.0.{tag}:3260", f"[fd00::{tag}]:3260"),
            labels=draw(st.sampled_from(({}, {"rack": "r1"}))),
            devices=draw(st.sampled_from(prefixes)),
            state=draw(st.sampled_from(NodeState)),
        )
        for tag, name in enumerate(NODES, 1)
    }


def _served_by() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(NODES), unique=True)


def _portal_groups(name: str, port_id: int) -> st.SearchStrategy[PortalGroup]:
    some = (f"[fd00::{NODES.index(name) + 1}]:3260",)
    return st.builds(PortalGroup, st.just(port_id), st.sampled_from(((), some)))


@st.composite
def _maps(draw: st.DrawFn, lunmap: Lunmap, taken: set[tuple[str, str, int]]) -> tuple[Map, ...]:
    who = [{"initiator": iqn} for iqn in lunmap.initiators] + [{"group": name} for name in lunmap.groups]
    pairs = [(target, names) for target in sorted(lunmap.targets) for names in who]
    maps: list[Map] = []
    seen: set[tuple[str, str]] = set()
    for target, names in draw(st.lists(st.sampled_from(pairs), max_size=6)) if pairs else []:
        entry = Map(target, 0, **names, access=draw(st.sampled_from(Access)))
        members = {(target, initiator) for initiator in initiators_of(lunmap, entry)}
        free = [number for number in range(12) if not any((*pair, number) in taken for pair in members)]
        if members & seen or not free:
            continue
        number = draw(st.sampled_from(free))
        seen |= members
        taken |= {(*pair, number) for pair in members}
        maps.append(replace(entry, lun=number))
    return tuple(maps)


def _attributes() -> st.SearchStrategy[dict[str, int]]:
    """Draw attributes that devices, files and memory take, some of them before the export only."""
    return st.fixed_dictionaries(
        {}, optional={"block_size": st.sampled_from((512, 4096)), "emulate_rsoc": st.sampled_from((0, 1))}
    )


@st.composite
def _luns(draw: st.DrawFn, index: int, name: str, lunmap: Lunmap, taken: set[tuple[str, str, int]]) -> Lun:
    path = f"/dev/vg/{name}-{draw(st.integers(0, 1))}"
    overrides = draw(st.sampled_from(({}, {"n2": f"/dev/n2/{name}"})))
    backings: tuple[Backing, ...] = (
        Block(path, overrides), FileIO(path, overrides), User(f"rbd/{name}"), RamDisk(volatile=True),
    )  # fmt: skip
    lun = Lun(
        draw(st.sampled_from(backings)),
        serial=f"{index:02x}" + "5" * 30,
        size=draw(st.sampled_from((MIB, 2 * MIB))),
        vendor=draw(st.sampled_from(("", "ACME"))),
        others=draw(st.sampled_from(AluaState)),
        maps=draw(_maps(lunmap, taken)),
    )
    everywhere = reporting_nodes(lunmap, lun)
    most = 1 if isinstance(lun.backing, RamDisk) else None
    some = tuple(sorted(draw(st.sets(st.sampled_from(everywhere), max_size=most)))) if everywhere else ()
    if isinstance(lun.backing, RamDisk):
        some = some or everywhere[:1]
    nodes = some or everywhere
    return replace(
        lun,
        nodes=some,
        attributes={} if isinstance(lun.backing, User) else draw(_attributes()),
        preferred="" if isinstance(lun.backing, User) else draw(st.sampled_from(("", *nodes))),
        shared=draw(st.builds(Shared, st.sampled_from(Scope), st.sampled_from(Scope)))
        if len(nodes) > 1
        else None,
    )


def _storage_objects() -> st.SearchStrategy[lio_objects.Object]:
    return st.builds(
        lio_objects.StorageObject,
        st.sampled_from(LUNS),
        st.sampled_from(("iblock", "fileio")),
        st.sampled_from(("/dev/a", "/dev/b")),
        st.sampled_from((0, MIB)),
        st.sampled_from(("a" * 32, "b" * 32)),
        st.sampled_from(((), (("emulate_pr", "0"),))),
    )


@st.composite
def kernels(draw: st.DrawFn) -> dict[lio_objects.Key, lio_objects.Object]:
    """Draw our objects in a kernel: any consistent set, with leftovers and manually changed settings."""
    items: list[lio_objects.Object] = []
    items += draw(st.lists(_storage_objects(), max_size=4, unique_by=lio_objects.key_of))
    items += [
        lio_objects.Leftover(kind, f"core/iblock_1/{kind}")
        for kind in draw(st.sets(st.sampled_from(("hba", "lun"))))
    ]
    for iqn in draw(st.sets(st.sampled_from(TARGETS))):
        items.append(lio_objects.Target(iqn))
        for tag in draw(st.sets(st.sampled_from((1, 2)))):
            items += draw(
                _tpgs(iqn, tag, [item.name for item in items if isinstance(item, lio_objects.StorageObject)])
            )
    return {lio_objects.key_of(item): item for item in items}


@st.composite
def _tpgs(draw: st.DrawFn, iqn: str, tag: int, names: list[str]) -> list[lio_objects.Object]:
    settings = draw(st.sampled_from((TPG_ATTRIBUTES, (("authentication", "1"),))))
    items: list[lio_objects.Object] = [lio_objects.Tpg(iqn, tag, settings, TPG_PARAMETERS)]
    luns = draw(st.sets(st.sampled_from(names))) if names else set()
    acls = draw(st.sets(st.sampled_from(INITIATORS)))
    items += [lio_objects.TpgLun(iqn, tag, name) for name in luns]
    items += [lio_objects.NodeAcl(iqn, tag, initiator) for initiator in acls]
    for initiator in sorted(acls):
        for number, name in enumerate(
            draw(st.lists(st.sampled_from(sorted(luns)), max_size=3)) if luns else []
        ):
            items.append(lio_objects.MappedLun(iqn, tag, initiator, number, name, draw(st.booleans())))
    items += [
        lio_objects.Portal(iqn, tag, address)
        for address in draw(st.sets(st.sampled_from(("10.0.0.1:3260", "10.0.0.9:3260"))))
    ]
    if draw(st.booleans()):
        items.append(lio_objects.Enabled(iqn, tag, draw(st.sampled_from((0, 1)))))
    return items
