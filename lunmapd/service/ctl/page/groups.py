"""The groups that one node at a time owns, and the rollout under way."""

from collections.abc import Iterable, Iterator

from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.text import count_of
from lunmapd.core.explain.checks import unfit_reason
from lunmapd.core.explain.world import World
from lunmapd.core.map.short_names import short_names
from lunmapd.core.placement.leased_groups import leased_groups, takeover_luns
from lunmapd.service.ctl.page.blocks import Cell, Mood, PageTable, Query, Sentences
from lunmapd.service.ctl.page.reading import ClusterReading
from lunmapd.service.ctl.text.rollout_lines import RolloutReport


def groups_listing(reading: ClusterReading, query: Query) -> Iterator[PageTable]:
    """Yield the table of floating portal groups and takeover groups, if the map has any."""
    world = reading.world
    groups = leased_groups(world.lunmap)
    if not groups:
        return
    shown, luns = short_names(world.lunmap), takeover_luns(world.lunmap)
    rows = []
    for name, group in sorted(groups.items()):
        serves = ", ".join(group.portals) or count_of(len(luns[name]), "Lun")
        about = (Cell(name.name), Cell(shown.target(name.target)), Cell(serves))
        rows.append([*about, *_owner(world, name, group.nodes, query)])
    columns = ("GROUP", "TARGET", "SERVES", "OWNER", "SINCE", "NODES", "WHAT HELPS")
    yield PageTable("Floating portal groups and takeover groups", columns, rows)


def _owner(world: World, name: GroupId, nodes: Iterable[str], query: Query) -> list[Cell]:
    owner = world.owner(name)
    found = world.group_status(owner, name)
    return [
        Cell(owner, query.link("nodes", owner)) if owner else Cell("none", mood=Mood.BAD),
        Cell(found.since if found else "-"),
        Cell("; ".join(_candidate(world, name, node, owner) for node in nodes)),
        Cell("") if owner else Cell("lunmapctl float list", command="lunmapctl float list"),
    ]


def _candidate(world: World, name: GroupId, node: str, owner: str) -> str:
    """Return what a node of a group is for it."""
    if not world.view(node).live:
        return f"{node} is dead"
    if obstacle := unfit_reason(world, node, name):
        return f"{obstacle}{', and still the owner' if node == owner else ''}"
    return f"{node} {'owns it' if node == owner else 'can take it'}"


def rollout_words(rollout: RolloutReport) -> str:
    """Return what the rollout means for the cluster, without the commands that end it."""
    if rollout.undone_by is not None:
        return f"revision {rollout.revision} was not confirmed in time, and is undone"
    where = f" on {', '.join(rollout.first)}" if rollout.first else ""
    until = f" until {rollout.deadline}" if rollout.deadline else ""
    return f"revision {rollout.revision} is tried{where}{until}"


def rollout_commands(rollout: RolloutReport | None) -> Iterator[Sentences]:
    """Yield the commands that end the rollout, or let it go on, if there is one."""
    if rollout is None:
        return
    lines = {f"undo revision {rollout.revision}": "lunmapctl rollout abort"}
    if rollout.undone_by is None:
        lines[f"keep revision {rollout.revision}"] = "lunmapctl confirm"
        if rollout.first:
            lines["let the other nodes follow, too"] = "lunmapctl rollout continue"
    cells = [Cell(f"{does}: {line}", command=line) for does, line in lines.items()]
    yield Sentences("What ends the rollout", cells[::-1])
