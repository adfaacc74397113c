"""Hypothesis strategies: maps that keep every rule, and sets of LIO objects that a kernel could have."""

from hypothesis import strategies as st

from lunmapd.core import lio
from lunmapd.core.lunmap import Access, Block, FileIO, Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.project import TPG_ATTRIBUTES, TPG_PARAMETERS

NODES = ("n1", "n2", "n3")
TARGETS = ("iqn.2026-01.org.example:a", "iqn.2026-01.org.example:b")
INITIATORS = ("iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2", "iqn.2026-01.org.example:h3")
LUNS = ("db1", "db2", "logs", "vm-7")

MIB = 1 << 20


@st.composite
def lunmaps(draw: st.DrawFn) -> Lunmap:
    """Draw a map that keeps every rule."""
    nodes = {name: Node(tag, (f"10.0.0.{tag}:3260",)) for tag, name in enumerate(NODES, 1)}
    names = draw(st.sets(st.sampled_from(TARGETS)))
    targets = {
        iqn: Target(
            {name: PortalGroup(port_id) for port_id, name in enumerate(draw(_served_by()), 1 + 10 * index)}
        )
        for index, iqn in enumerate(sorted(names))
    }
    initiators = {iqn: Initiator(draw(st.sampled_from(("", "db host")))) for iqn in INITIATORS}
    luns: dict[str, Lun] = {}
    taken: set[tuple[str, str, int]] = set()
    for index, name in enumerate(LUNS):
        if draw(st.booleans()):
            luns[name] = draw(_luns(index, name, sorted(targets), taken))
    return Lunmap(luns, targets, initiators, nodes)


def _served_by() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(NODES), unique=True)


@st.composite
def _luns(
    draw: st.DrawFn, index: int, name: str, targets: list[str], taken: set[tuple[str, str, int]]
) -> Lun:
    pairs = [(target, initiator) for target in targets for initiator in INITIATORS]
    maps: list[Map] = []
    for target, initiator in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []:
        free = [number for number in range(8) if (target, initiator, number) not in taken]
        number = draw(st.sampled_from(free))
        taken.add((target, initiator, number))
        maps.append(Map(target, number, initiator, draw(st.sampled_from(Access))))
    path = f"/dev/vg/{name}-{draw(st.integers(0, 1))}"
    serial = f"{index:02x}" + "5" * 30
    size = draw(st.sampled_from((MIB, 2 * MIB)))
    backings: tuple[Block | FileIO, ...] = (Block(path), FileIO(path))
    backing = draw(st.sampled_from(backings))
    return Lun(backing, serial, size, tuple(maps))


def _storage_objects() -> st.SearchStrategy[lio.Object]:
    return st.builds(
        lio.StorageObject,
        st.sampled_from(LUNS),
        st.sampled_from(("iblock", "fileio")),
        st.sampled_from(("/dev/a", "/dev/b")),
        st.sampled_from((0, MIB)),
        st.sampled_from(("a" * 32, "b" * 32)),
        st.sampled_from(((), (("emulate_pr", "0"),))),
    )


@st.composite
def kernels(draw: st.DrawFn) -> dict[lio.Key, lio.Object]:
    """Draw our objects in a kernel: any set that stands, with leftovers and settings that somebody changed."""
    items: list[lio.Object] = draw(st.lists(_storage_objects(), max_size=4, unique_by=lio.key))
    items += [
        lio.Leftover(kind, f"core/iblock_1/{kind}") for kind in draw(st.sets(st.sampled_from(("hba", "lun"))))
    ]
    for iqn in draw(st.sets(st.sampled_from(TARGETS))):
        items.append(lio.Target(iqn))
        for tag in draw(st.sets(st.sampled_from((1, 2)))):
            items += draw(
                _tpgs(iqn, tag, [item.name for item in items if isinstance(item, lio.StorageObject)])
            )
    return lio.keyed(items)


@st.composite
def _tpgs(draw: st.DrawFn, iqn: str, tag: int, names: list[str]) -> list[lio.Object]:
    settings = draw(st.sampled_from((TPG_ATTRIBUTES, (("authentication", "1"),))))
    items: list[lio.Object] = [lio.Tpg(iqn, tag, settings, TPG_PARAMETERS)]
    luns = draw(st.sets(st.sampled_from(names))) if names else set()
    acls = draw(st.sets(st.sampled_from(INITIATORS)))
    items += [lio.TpgLun(iqn, tag, name) for name in luns]
    items += [lio.NodeAcl(iqn, tag, initiator) for initiator in acls]
    for initiator in sorted(acls):
        for number, name in enumerate(
            draw(st.lists(st.sampled_from(sorted(luns)), max_size=3)) if luns else []
        ):
            items.append(lio.MappedLun(iqn, tag, initiator, number, name, draw(st.booleans())))
    items += [
        lio.Portal(iqn, tag, address)
        for address in draw(st.sets(st.sampled_from(("10.0.0.1:3260", "10.0.0.9:3260"))))
    ]
    if draw(st.booleans()):
        items.append(lio.Enabled(iqn, tag, draw(st.sampled_from((0, 1)))))
    return items
