"""The tables of the objects of the map."""

from collections.abc import Callable, Mapping

from lunmapd.client import Lunmap
from lunmapd.core.base.backings import source
from lunmapd.core.base.lunmap import Target, initiators_of
from lunmapd.core.base.names import naa
from lunmapd.core.base.sections import Section
from lunmapd.core.base.text import human_size
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.table import Column, Table

Sizes = Mapping[str, int]
"""The size of each Lun in bytes, as its nodes report it, or as the map has it."""


_listed = ",".join


def luns_table(lunmap: Lunmap, sizes: Sizes, _: ShortNames) -> Table:
    """Return the table of Luns with their WWID as udev and multipath print it: "3" and the NAA identifier."""
    rows = [
        (
            name,
            sizes.get(name) or None,
            lun.backing.__struct_config__.tag,
            source(lun.backing),
            f"3{naa(lun.serial)}",
            len(lun.maps),
        )
        for name, lun in sorted(lunmap.luns.items())
    ]
    columns = (
        Column("LUN"),
        Column("SIZE", show=human_size),
        Column("TYPE", drop=2),
        Column("PATH", cut=True),
        Column("WWID"),
        Column("MAPS", drop=1),
    )
    return Table(columns, rows)


def targets_table(lunmap: Lunmap, _: Sizes, names: ShortNames) -> Table:
    """Return the table of targets with their nodes, and those of each floating group in their order."""
    rows = [
        (names.target(iqn), _served_by(target) or None, target.alias)
        for iqn, target in sorted(lunmap.targets.items())
    ]
    columns = Column("TARGET"), Column("NODES", cut=True, show=_listed), Column("ALIAS", cut=True)
    return Table(columns, rows)


def _served_by(target: Target) -> tuple[str, ...]:
    groups = (f"{name}:{'>'.join(group.nodes)}" for name, group in sorted(target.floating.items()))
    return (*target.nodes, *groups)


def initiators_table(lunmap: Lunmap, _: Sizes, names: ShortNames) -> Table:
    """Return the table of initiators: one line for each mapped Lun."""
    rows: list[tuple[object, ...]] = []
    for iqn, initiator in sorted(lunmap.initiators.items()):
        maps = [
            (names.target(entry.target), entry.lun, name, entry.access.value)
            for name, lun in lunmap.luns.items()
            for entry in lun.maps
            if iqn in initiators_of(lunmap, entry)
        ]
        rows += [(names.initiator(iqn), initiator.alias, *row) for row in sorted(maps)] or [
            (names.initiator(iqn), initiator.alias, None, None, None, None)
        ]
    columns = (
        Column("INITIATOR", cut=True),
        Column("ALIAS", drop=1, cut=True),
        Column("TARGET", cut=True),
        Column("NUMBER"),
        Column("LUN"),
        Column("ACCESS"),
    )
    return Table(columns, rows)


def groups_table(lunmap: Lunmap, _: Sizes, names: ShortNames) -> Table:
    """Return the table of groups: one line for each initiator."""
    rows = [
        (name, group.alias, iqn and names.initiator(iqn))
        for name, group in sorted(lunmap.groups.items())
        for iqn in group.initiators or ("",)
    ]
    columns = Column("GROUP"), Column("ALIAS", drop=1, cut=True), Column("INITIATOR", cut=True)
    return Table(columns, rows)


def nodes_table(lunmap: Lunmap, _: Sizes, __: ShortNames) -> Table:
    """Return the table of nodes with TPG tag, state and portals."""
    rows = [
        (name, node.tpg_tag, node.state.value, tuple(node.portals) or None)
        for name, node in sorted(lunmap.nodes.items())
    ]
    columns = (Column("NODE"), Column("TAG"), Column("STATE"), Column("PORTALS", cut=True, show=_listed))
    return Table(columns, rows)


TABLES: Mapping[Section, Callable[[Lunmap, Sizes, ShortNames], Table]] = {
    "luns": luns_table,
    "targets": targets_table,
    "initiators": initiators_table,
    "groups": groups_table,
    "nodes": nodes_table,
}
