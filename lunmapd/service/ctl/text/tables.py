"""The tables of the objects of the map."""

from lunmapd.client import Lunmap
from lunmapd.core.base.backings import source
from lunmapd.core.base.lunmap import Target, initiators_of
from lunmapd.core.base.names import naa
from lunmapd.core.map.mapfile import show_size
from lunmapd.service.table import table


def luns_table(lunmap: Lunmap) -> list[str]:
    """Return the table of Luns with their WWID as udev and multipath print it: "3" and the NAA identifier."""
    rows = [
        (
            name,
            show_size(lun.size) if lun.size else "-",
            lun.backing.__struct_config__.tag,
            source(lun.backing) or "-",
            f"3{naa(lun.serial)}",
            len(lun.maps),
        )
        for name, lun in sorted(lunmap.luns.items())
    ]
    return table(("LUN", "SIZE", "TYPE", "PATH", "WWID", "MAPS"), rows)


def targets_table(lunmap: Lunmap) -> list[str]:
    """Return the table of targets with their nodes, and those of each floating group in their order."""
    rows = [
        (iqn, _served_by(target) or "-", target.alias or "-")
        for iqn, target in sorted(lunmap.targets.items())
    ]
    return table(("TARGET", "NODES", "ALIAS"), rows)


def _served_by(target: Target) -> str:
    groups = (f"{name}:{'>'.join(group.nodes)}" for name, group in sorted(target.floating.items()))
    return " ".join(filter(None, (",".join(target.nodes), *groups)))


def initiators_table(lunmap: Lunmap) -> list[str]:
    """Return the table of initiators: one line for each mapped Lun."""
    rows: list[tuple[object, ...]] = []
    for iqn, initiator in sorted(lunmap.initiators.items()):
        maps = [
            (entry.target, entry.lun, name, entry.access.value)
            for name, lun in lunmap.luns.items()
            for entry in lun.maps
            if iqn in initiators_of(lunmap, entry)
        ]
        rows += [(iqn, initiator.alias or "-", *row) for row in sorted(maps)] or [
            (iqn, initiator.alias or "-", "-", "-", "-", "-")
        ]
    return table(("INITIATOR", "ALIAS", "TARGET", "NUMBER", "LUN", "ACCESS"), rows)


def groups_table(lunmap: Lunmap) -> list[str]:
    """Return the table of groups: one line for each initiator."""
    rows = [
        (name, iqn, group.alias or "-")
        for name, group in sorted(lunmap.groups.items())
        for iqn in group.initiators or ("-",)
    ]
    return table(("GROUP", "INITIATOR", "ALIAS"), rows)


def nodes_table(lunmap: Lunmap) -> list[str]:
    """Return the table of nodes with TPG tag and portals."""
    rows = [
        (name, node.tpg_tag, ",".join(node.portals) or "-") for name, node in sorted(lunmap.nodes.items())
    ]
    return table(("NODE", "TAG", "PORTALS"), rows)
