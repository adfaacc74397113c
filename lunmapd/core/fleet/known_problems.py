"""Problems of a node that a commit neither brings nor concerns: they do not count after it. Pure."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.path_state import NodeView, scope_of, scopes_of, tags_on
from lunmapd.core.fleet.status import OFFERED, Failing, NodeStatus
from lunmapd.core.placement.leased_groups import groups_of


class KnownProblems(Struct, frozen=True):
    """The state before a commit: its map, and each node by its name.

    `paths` are those of the objects that the commit changes, such as `luns/db1`.
    """

    lunmap: Lunmap
    views: Mapping[str, NodeView]
    paths: AbstractSet[str] = frozenset()


def other_problems(
    node: str, status: NodeStatus, known: KnownProblems, lunmap: Lunmap
) -> tuple[Failing, ...] | None:
    """Return the failing objects of a node if it had each of them before, and none concerns the commit.

    None if one is new or concerns it, or if the status does not list all. `status` is that after a pass of
    the revision, `lunmap` the newest map. What waits for a failing object depends on its Lun, its TPG or its
    ACL: of a changed Lun all of them concern the commit.
    """
    before = known.views.get(node, NodeView()).status
    if before is None or not _lists_all(before) or not _lists_all(status) or f"nodes/{node}" in known.paths:
        return None
    had = {(each.object, each.reason) for each in before.failing}
    concern, tags = _Concern(known, lunmap), tags_on(lunmap, node)
    is_known = all(
        (each.object, each.reason) in had and not concern.has(each, scope_of(each, tags))
        for each in status.failing
    )
    return status.failing if is_known and status.failing else None


def _lists_all(status: NodeStatus) -> bool:
    return status.failing_count <= len(status.failing) and OFFERED not in status.false_conditions


class _Concern:
    """The scopes of the Luns that a commit changes, and the names of its targets and initiators."""

    def __init__(self, known: KnownProblems, lunmap: Lunmap) -> None:
        maps = (known.lunmap, lunmap)
        self._scopes = {*known.paths, *(scope for each in maps for scope in _scopes(each, known.paths))}
        self._names = {path.partition("/")[2] for path in known.paths if not path.startswith("luns/")}
        self._names |= {
            initiator
            for each in maps
            for name, group in each.groups.items()
            if f"groups/{name}" in known.paths
            for initiator in group.initiators
        }

    def has(self, failing: Failing, scope: str) -> bool:
        """Return whether a failing object of this scope concerns the commit."""
        if scope in self._scopes:
            return True
        return not scope.startswith("luns/") and not self._names.isdisjoint(failing.object.split())


def _scopes(lunmap: Lunmap, paths: AbstractSet[str]) -> Iterator[str]:
    for name in sorted(path.removeprefix("luns/") for path in paths if path.startswith("luns/")):
        if (lun := lunmap.luns.get(name)) is not None:
            for group in (None, *groups_of(lunmap, lun)):
                yield from scopes_of(lunmap, name, lun, group)
