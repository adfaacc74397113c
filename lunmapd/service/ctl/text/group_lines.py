"""The floating portal groups and takeover groups as text."""

from collections.abc import Iterable, Iterator, Sequence

from lunmapd.core.base.text import count_of
from lunmapd.core.fleet.group_owners import OwnedGroup
from lunmapd.core.fleet.path_state import NO_OWNER, OK
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.table import Column, Table

_MAX_LINES = 10


def without_owner(groups: Iterable[OwnedGroup]) -> Iterator[OwnedGroup]:
    """Yield the groups that a node should own, and none does."""
    return (each for each in groups if each.state == NO_OWNER)


def count_groups(groups: Sequence[OwnedGroup]) -> str:
    """Return the number of groups, and how many of them are not well."""
    lacking = sum(1 for _ in without_owner(groups))
    parts = [f"{sum(each.state == OK for each in groups):,} ok"]
    parts += [f"{lacking:,} without an owner"] if lacking else []
    return f"{count_of(len(groups), 'group')}: {', '.join(parts)}"


def owned_groups_table(groups: Iterable[OwnedGroup], names: ShortNames) -> Table:
    """Return the table of groups with their owners, and the nodes that could take them over."""
    rows = [
        (names.target(each.target), each.name, each.owner, each.state, each.standby or None, each.since)
        for each in groups
    ]
    columns = (
        Column("TARGET", cut=True),
        Column("GROUP"),
        Column("OWNER"),
        Column("STATE"),
        Column("STANDBY", cut=True, show=",".join),
        Column("SINCE", drop=1),
    )
    return Table(columns, rows)


def group_problem_lines(groups: Sequence[OwnedGroup]) -> Iterator[str]:
    """Yield which groups have no owner and why, in a bounded number of lines."""
    lacking = list(without_owner(groups))
    yield from map(str, lacking[:_MAX_LINES])
    if (more := len(lacking) - _MAX_LINES) > 0:
        yield f"{more} more groups have no owner; see 'lunmapctl float list'"
