"""Random edits of a map, as admins make them: small, of everything that there is, and within the rules."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    Access,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.map.rules import check_changes, check_map

K = TypeVar("K")
V = TypeVar("V")

NODES = ("n1", "n2", "n3")
_TARGETS = tuple(f"iqn.2026-01.org.example:t{number}" for number in range(3))
_INITIATORS = tuple(f"iqn.2026-01.org.example:h{number}" for number in range(6))
_LUNS = 24
EVERY_LUN = frozenset(f"l{number}" for number in range(_LUNS))
_NUMBERS = 32
_MIB = 1 << 20
_AT_ONCE = 4
_TRIES = 1000
SHARED = Shared(Scope.OFF, Scope.OFF)

Edit = Callable[[Lunmap, Random], Lunmap]


def first_map() -> Lunmap:
    """Return the map to begin with: three nodes, and targets that all of them serve."""
    nodes = {name: Node(tag, (f"10.0.0.{tag}:3260",)) for tag, name in enumerate(NODES, 1)}
    targets = {
        iqn: Target({name: PortalGroup(10 * index + tag) for tag, name in enumerate(NODES, 1)})
        for index, iqn in enumerate(_TARGETS)
    }
    return Lunmap(targets=targets, initiators={iqn: Initiator() for iqn in _INITIATORS[:3]}, nodes=nodes)


def edit(lunmap: Lunmap, seed: int) -> Lunmap:
    """Return another map that may follow `lunmap`: the same one for the same seed."""
    dice = Random(seed)
    for _ in range(_TRIES):
        after = lunmap
        for _ in range(dice.randint(1, _AT_ONCE)):
            after = dice.choice(_EDITS)(after, dice)
        if after != lunmap and not check_map(after) and not check_changes(lunmap, after):
            return after
    raise AssertionError(f"seed {seed} leads to no other map")


def _add_lun(lunmap: Lunmap, dice: Random) -> Lunmap:
    number = dice.randrange(_LUNS)
    if f"l{number}" in lunmap.luns:
        return lunmap
    serial = f"{number:08x}{dice.getrandbits(96):024x}"
    return with_lun(lunmap, f"l{number}", Lun(Block(f"/dev/vg/l{number}"), serial, _MIB, shared=SHARED))


def _remove_lun(lunmap: Lunmap, dice: Random) -> Lunmap:
    return with_lun(lunmap, name, None) if (name := _pick(lunmap.luns, dice)) else lunmap


def _grow_lun(lunmap: Lunmap, dice: Random) -> Lunmap:
    if not (name := _pick(lunmap.luns, dice)):
        return lunmap
    lun = lunmap.luns[name]
    return with_lun(lunmap, name, replace(lun, size=(lun.size or 0) + dice.randint(1, 9) * _MIB))


def _map_lun(lunmap: Lunmap, dice: Random) -> Lunmap:
    name, target = _pick(lunmap.luns, dice), _pick(lunmap.targets, dice)
    initiator = _pick(lunmap.initiators, dice)
    if not (name and target and initiator):
        return lunmap
    lun = lunmap.luns[name]
    access = dice.choice(tuple(Access))
    entry = Map(target, dice.randrange(_NUMBERS), initiator, access=access)
    return with_lun(lunmap, name, replace(lun, maps=(*lun.maps, entry)))


def _unmap_lun(lunmap: Lunmap, dice: Random) -> Lunmap:
    name = _pick({name: lun for name, lun in lunmap.luns.items() if lun.maps}, dice)
    if not name:
        return lunmap
    lun = lunmap.luns[name]
    gone = dice.choice(lun.maps)
    return with_lun(lunmap, name, replace(lun, maps=tuple(entry for entry in lun.maps if entry != gone)))


def _name_initiator(lunmap: Lunmap, dice: Random) -> Lunmap:
    iqn = dice.choice(_INITIATORS)
    alias = dice.choice(("", "db host", "backup", "vm host"))
    return replace(lunmap, initiators={**lunmap.initiators, iqn: Initiator(alias)})


def _remove_initiator(lunmap: Lunmap, dice: Random) -> Lunmap:
    """Remove an initiator with all its maps."""
    if not (iqn := _pick(lunmap.initiators, dice)):
        return lunmap
    for name, lun in lunmap.luns.items():
        left = tuple(entry for entry in lun.maps if entry.initiator != iqn)
        if left != lun.maps:
            lunmap = with_lun(lunmap, name, replace(lun, maps=left))
    return replace(lunmap, initiators=without(lunmap.initiators, iqn))


def _serve(lunmap: Lunmap, dice: Random) -> Lunmap:
    """Let a node begin or cease to serve a target."""
    iqn, node = dice.choice(_TARGETS), dice.choice(NODES)
    target = lunmap.targets[iqn]
    if node in target.nodes:
        nodes = without(target.nodes, node)
    else:
        nodes = {**target.nodes, node: PortalGroup(10 * _TARGETS.index(iqn) + NODES.index(node) + 1)}
    return replace(lunmap, targets={**lunmap.targets, iqn: replace(target, nodes=nodes)})


def _pick(items: Mapping[str, object], dice: Random) -> str:
    """Choose a name; none, if there are none."""
    return dice.choice(sorted(items)) if items else ""


def with_lun(lunmap: Lunmap, name: str, lun: Lun | None) -> Lunmap:
    """Return the map with one Lun set, or removed."""
    others = without(lunmap.luns, name)
    return replace(lunmap, luns=others if lun is None else {**others, name: lun})


def without(items: Mapping[K, V], name: K) -> dict[K, V]:
    """Return the items but one."""
    return {key: value for key, value in items.items() if key != name}


_EDITS: Sequence[Edit] = (
    *[_add_lun] * 3,
    *[_map_lun] * 4,
    _remove_lun,
    _grow_lun,
    _unmap_lun,
    _name_initiator,
    _remove_initiator,
    _serve,
)
