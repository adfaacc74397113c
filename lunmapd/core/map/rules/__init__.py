"""The rules of a map: everything is checked, every problem reported with the object and field it concerns.

One module for each kind of object, `unique` for what no two objects may share, `changes` for what a commit may not do
to an object that stays.
"""

import itertools
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.rules import changes, initiators, luns, maps, nodes, targets, unique

Rule = Callable[[Lunmap], Iterator[Problem]]

_ALWAYS: tuple[Rule, ...] = (
    luns.check_luns,
    maps.check_maps,
    targets.check_targets,
    initiators.check_initiators,
    initiators.check_groups,
    nodes.check_nodes,
    unique.check_unique,
)
_CHOICES: tuple[Rule, ...] = (luns.check_choices,)
_WARNINGS: tuple[Rule, ...] = (luns.warn_of_luns, maps.warn_of_lun_numbers)


def check_map(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Check a whole map; returns every problem in the order of the map, empty when it may be committed."""
    return _all((*_ALWAYS, *_CHOICES), lunmap)


def check_served(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Check what a node must not serve; unlike a commit it does not ask for choices that an older schema had not."""
    return _all(_ALWAYS, lunmap)


def map_warnings(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Return what may be committed, but is likely to surprise."""
    return _all(_WARNINGS, lunmap)


def check_changes(
    before: Lunmap, after: Lunmap, shrink: AbstractSet[str] = frozenset()
) -> tuple[Problem, ...]:
    """Check what a commit may not do to a Lun that stays, such as changing its serial; those of `shrink` may get smaller."""
    return tuple(changes.check_lun_changes(before, after, shrink))


def _all(checks: tuple[Rule, ...], lunmap: Lunmap) -> tuple[Problem, ...]:
    return tuple(itertools.chain.from_iterable(check(lunmap) for check in checks))
