"""The groups that one node at a time owns: floating portal groups, and takeover groups of Luns."""

from collections.abc import Iterator

from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lun, Lunmap, Takeover, Target


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
    times = Takeover() if target is None else target.takeover
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
