"""Sequences of events, each drawn from a seed. Any event can be left out: the others keep their meaning."""

import random
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from fuzz import documents
from fuzz.documents import LUNS
from fuzz.drift import change
from fuzz.hosts import Session
from fuzz.world import World
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.planning.drift import CLASSES
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.guard import RemovalLimits

LENGTH = 40


class Event(NamedTuple):
    """Something that happens; `choice` decides the details."""

    name: str
    choice: int


def sequence(seed: int) -> list[Event]:
    """Return the events of a seed."""
    source = random.Random(seed)
    names = [name for name, (weight, _) in EVENTS.items() for _ in range(weight)]
    return [Event(source.choice(names), source.randrange(1 << 32)) for _ in range(LENGTH)]


def happen(world: World, event: Event) -> None:
    """Let an event happen. Raises ViolationError."""
    EVENTS[event.name][1](world, random.Random(event.choice))


def _pass(world: World, _: random.Random) -> None:
    world.run_pass()


def _commit(world: World, source: random.Random) -> None:
    world.tree.commit(documents.changed(source, world.tree.map, source.choice((1, 1, 2, 4)), world.kinds))
    _maybe_pass(world, source)


def _fill(world: World, source: random.Random) -> None:
    world.tree.commit(documents.changed(source, world.tree.map, 12, world.kinds))
    _maybe_pass(world, source)


def _maybe_pass(world: World, source: random.Random) -> None:
    match source.randrange(8):
        case 0:
            return
        case 1:
            world.kill_after(source.randrange(12))
        case 2:
            world.lio.kill_worker(source.randrange(12))
        case _:
            pass
    world.run_pass()


def _edit(world: World, source: random.Random) -> None:
    world.tree.found = documents.edited(source, world.tree.map, world.tree.found, world.kinds)
    _maybe_pass(world, source)


def _repair(world: World, source: random.Random) -> None:
    world.tree.repair()
    _maybe_pass(world, source)


def _drift(world: World, source: random.Random) -> None:
    for _ in range(source.choice((1, 1, 2, 3))):
        change(world.lio, source)
    world.lio_changed()
    if source.random() < 0.5:
        world.clock.now += 61
    _maybe_pass(world, source)


def _restart(world: World, source: random.Random) -> None:
    world.restart()
    _maybe_pass(world, source)


def _reboot(world: World, source: random.Random) -> None:
    world.reboot()
    _maybe_pass(world, source)


def _wait(world: World, source: random.Random) -> None:
    world.clock.now += source.choice((1, 6, 31, 61, 4000))
    world.run_pass()


def _settings(world: World, source: random.Random) -> None:
    policy = replace(
        world.policy,
        allow=source.choice(list(Disruption)[:5]),
        limits=source.choice((RemovalLimits(), RemovalLimits(0.1, 1), RemovalLimits(1.0))),
        report=frozenset(source.sample(CLASSES, source.choice((0, 0, 2, len(CLASSES))))),
    )
    world.reload(policy)


def _isolate(world: World, source: random.Random) -> None:
    world.enablement = source.choice((Enablement.ALL, Enablement.KEPT, Enablement.NONE))
    world.run_pass()


def _confirm(world: World, _: random.Random) -> None:
    world.tree.confirm()
    world.run_pass()


def _override(world: World, source: random.Random) -> None:
    world.tree.override(source.choice(("session-drop", "data-unreachable", "other-data")))
    world.run_pass()


def _disk(world: World, source: random.Random) -> None:
    world.fill_disk(is_full=source.random() < 0.6)


def _file(world: World, source: random.Random) -> None:
    name = source.choice(LUNS)
    directory = source.choice(("/srv", "/dev")) if "block" in world.kinds else "/srv"
    world.lio.file(f"{directory}/fuzz-{name}{source.choice(('', '2'))}", is_there=source.random() < 0.5)


def _refuse(world: World, source: random.Random) -> None:
    world.lio.refuse(source.randrange(1 << 32))


def _log_in(world: World, source: random.Random) -> None:
    for _ in range(source.randint(1, 4)):
        world.hosts.log_in(world.view(), _session(source))


def _log_out(world: World, source: random.Random) -> None:
    for _ in range(source.randint(1, 6)):
        world.hosts.log_out(_session(source))


def _drop(world: World, source: random.Random) -> None:
    for _ in range(source.randint(1, 6)):
        world.hosts.drop(_session(source))


def _session(source: random.Random) -> Session:
    return Session(source.choice(documents.TARGETS), source.choice(documents.HOSTS), source.choice("12"))


def _settle(world: World, _: random.Random) -> None:
    world.settle()


EVENTS: dict[str, tuple[int, Callable[[World, random.Random], None]]] = {
    "pass": (4, _pass),
    "commit": (14, _commit),
    "fill": (3, _fill),
    "edit": (5, _edit),
    "repair": (2, _repair),
    "drift": (14, _drift),
    "restart": (2, _restart),
    "reboot": (1, _reboot),
    "wait": (5, _wait),
    "settings": (3, _settings),
    "isolate": (2, _isolate),
    "confirm": (2, _confirm),
    "override": (1, _override),
    "disk": (1, _disk),
    "file": (2, _file),
    "refuse": (2, _refuse),
    "log in": (8, _log_in),
    "log out": (4, _log_out),
    "drop": (2, _drop),
    "settle": (2, _settle),
}
"""Weight and effect of each kind of event."""
