"""Luns whose nodes have opened visibly different files or devices.

All nodes show a Lun under one WWID, so an initiator takes them for paths to the same data. What must be equal
is the size and the block size; the identities of the devices prove less:

- The UUID of a logical volume is part of the metadata of its volume group. Whatever replicates the disks
  below it (an array, DRBD below LVM) replicates the metadata, and what replicates above it (DRBD on LVM) is
  the device that LIO has opened. So two UUIDs are two volumes.
- The WWNs and serials of two disks differ where arrays mirror a volume to each other. The map can give both
  one WWID. So a difference is a note.
- The same identity proves that two devices are one. A device without identity (a file, a loop device) proves
  nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.backing_reports import DM_UUID, SERIAL, WWN, BackingReport, Reports
from lunmapd.core.base.lunmap import Lun, Lunmap, reporting_nodes
from lunmapd.core.placement.backing_paths import source_on

_LVM = "LVM-"


class DifferenceKind(StrEnum):
    """The property in which the backings of a Lun differ."""

    SIZE = "size"
    BLOCK_SIZE = "block_size"
    VOLUME = "volume"
    DISK = "disk"


class BackingDifference(Struct, frozen=True):
    """The backings of a Lun differ. `values` maps each value to the nodes that report it.

    With `serious` an initiator may see the difference, or it proves that the data are not the same.
    """

    lun: str
    kind: DifferenceKind
    values: Mapping[str, tuple[str, ...]]
    serious: bool = True

    def __str__(self) -> str:
        values = "; ".join(f"{value} on {', '.join(nodes)}" for value, nodes in self.values.items())
        return f"luns/{self.lun}: its nodes have opened {_WORDS[self.kind]}: {values}"


_WORDS = {
    DifferenceKind.SIZE: "backings of different sizes in bytes, and initiators see one size for each path",
    DifferenceKind.BLOCK_SIZE: "devices with different block sizes",
    DifferenceKind.VOLUME: "different logical volumes under one WWID",
    DifferenceKind.DISK: "disks with different identities, which only mirrored disks may have",
}


def find_backing_differences(lunmap: Lunmap, reports: Mapping[str, Reports]) -> tuple[BackingDifference, ...]:
    """Return the differences among the nodes of each Lun; `reports` are by the name of the node."""
    return tuple(
        difference
        for name, lun in sorted(lunmap.luns.items())
        for difference in _of_lun(name, lun, _reports_of(lunmap, name, lun, reports))
    )


def is_divided(lunmap: Lunmap, name: str) -> bool:
    """Return whether the nodes of a Lun have different paths."""
    return len(set(sources_of(lunmap, name).values())) > 1


def sources_of(lunmap: Lunmap, name: str) -> dict[str, str]:
    """Return the path of a Lun on each node that reports it; empty for no such Lun."""
    lun = lunmap.luns.get(name)
    nodes = () if lun is None else reporting_nodes(lunmap, lun)
    return {node: source_on(lun, node, lunmap.nodes[node]) for node in nodes if lun and node in lunmap.nodes}


def _reports_of(
    lunmap: Lunmap, name: str, lun: Lun, reports: Mapping[str, Reports]
) -> dict[str, BackingReport]:
    if sum(name in of_node for of_node in reports.values()) < 2:  # noqa: PLR2004 - one differs from none
        return {}
    found = ((node, reports.get(node, {}).get(name)) for node in reporting_nodes(lunmap, lun))
    return {node: report for node, report in found if report is not None}


def _of_lun(name: str, lun: Lun, reports: Mapping[str, BackingReport]) -> Iterator[BackingDifference]:
    sizes = {node: str(report.size) for node, report in reports.items() if report.size}
    yield from _difference(name, DifferenceKind.SIZE, sizes)
    if "block_size" not in lun.attributes:
        blocks = {node: str(report.block_size) for node, report in reports.items() if report.block_size}
        yield from _difference(name, DifferenceKind.BLOCK_SIZE, blocks)
    yield from _difference(name, DifferenceKind.VOLUME, _volumes(reports))
    for kind in (WWN, SERIAL):
        known = {node: word for node, report in reports.items() if (word := report.identity.get(kind))}
        differing = tuple(_difference(name, DifferenceKind.DISK, known, serious=False))
        if differing or known:
            yield from differing
            return


def _volumes(reports: Mapping[str, BackingReport]) -> dict[str, str]:
    uuids = {node: report.identity.get(DM_UUID, "") for node, report in reports.items()}
    return {node: uuid for node, uuid in uuids.items() if uuid.startswith(_LVM)}


def _difference(
    lun: str, kind: DifferenceKind, by_node: Mapping[str, str], *, serious: bool = True
) -> Iterator[BackingDifference]:
    values = defaultdict[str, list[str]](list)
    for node, value in by_node.items():
        values[value].append(node)
    if len(values) > 1:
        yield BackingDifference(
            lun, kind, {value: tuple(nodes) for value, nodes in values.items()}, serious=serious
        )
