"""The rules of a map. Every problem is reported, with its object and field.

There is one module for each kind of object, `unique` for values that no two objects may share, and `changes`
and `sources` for changes of a Lun that a commit may not make.
"""

import itertools
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.rules import (
    changes,
    floating,
    hooks,
    initiators,
    luns,
    maps,
    nodes,
    portals,
    probes,
    sources,
    targets,
    unique,
)

Rule = Callable[[Lunmap], Iterator[Problem]]

_ALWAYS: tuple[Rule, ...] = (
    luns.check_luns,
    maps.check_maps,
    targets.check_targets,
    floating.check_floating_groups,
    hooks.check_hooks,
    initiators.check_initiators,
    initiators.check_groups,
    probes.check_probes,
    nodes.check_nodes,
    unique.check_unique,
)
_CHOICES: tuple[Rule, ...] = (luns.check_choices, luns.check_descriptors, portals.check_overlaps)
_LUN_WARNINGS: tuple[Rule, ...] = (luns.warn_of_luns, maps.warn_of_lun_numbers)
"""Those that depend on one Lun at a time, and on its targets and nodes."""
_WARNINGS: tuple[Rule, ...] = (nodes.warn_of_devices, floating.warn_of_floating_groups)


def check_map(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Return every problem of a map, in its order; a map without problems may be committed."""
    return _all((*_ALWAYS, *_CHOICES), lunmap)


def check_served(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Return the problems for which a node does not serve an object.

    Unlike `check_map` it does not require the choices that an older schema lacked. Of two portals that
    exclude each other the node serves one.
    """
    return _all(_ALWAYS, lunmap)


def map_warnings(lunmap: Lunmap, luns: AbstractSet[str] | None = None) -> tuple[Problem, ...]:
    """Return the warnings: such a map may be committed, but its effect may be unexpected.

    With `luns` those of other Luns are left out.
    """
    part = lunmap if luns is None else _with_luns(lunmap, luns)
    return (*_all(_LUN_WARNINGS, part), *_all(_WARNINGS, lunmap))


def _with_luns(lunmap: Lunmap, luns: AbstractSet[str]) -> Lunmap:
    return replace(lunmap, luns={name: lunmap.luns[name] for name in sorted(luns & lunmap.luns.keys())})


def check_changes(
    before: Lunmap,
    after: Lunmap,
    shrink: AbstractSet[str] = frozenset(),
    rebacking: AbstractSet[str] = frozenset(),
) -> tuple[Problem, ...]:
    """Return the changes of Luns that a commit may not make, such as that of a serial.

    The Luns named in `shrink` may become smaller, those named in `rebacking` may change their paths.
    """
    return (
        *changes.check_lun_changes(before, after, shrink),
        *sources.check_sources(before, after, rebacking),
    )


def _all(checks: tuple[Rule, ...], lunmap: Lunmap) -> tuple[Problem, ...]:
    return tuple(itertools.chain.from_iterable(check(lunmap) for check in checks))
