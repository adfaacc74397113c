"""One LUN that is added, changed and removed among many."""

import logging
import time
from statistics import median

from msgspec.structs import replace

from bench.guest.clean import clean
from bench.guest.shape import Shape, lun, lunmap, make_files, name
from bench.guest.site import Node, node
from lunmapd.core.base.lunmap import Lun, Lunmap

_NEVER = 1e9


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the median of each kind of change, in seconds."""
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(Shape(luns + 1, initiators))
    clean()
    with node(_NEVER) as made:
        made.start(lunmap(shape))
        times = [_round(made, shape) for _ in range(rounds)]
    add, change, remove = (median(each) for each in zip(*times, strict=True))
    return {"add": add, "change": change, "remove": remove}


def _round(made: Node, shape: Shape) -> tuple[float, ...]:
    new = lun(shape.luns, shape.initiators)
    changed = replace(new, attributes={"emulate_tpu": 1})
    return tuple(_timed(made, _with(made, name(shape.luns), item)) for item in (new, changed, None))


def _with(made: Node, which: str, item: Lun | None) -> Lunmap:
    assert made.snapshot is not None
    before = made.snapshot.lunmap
    luns = {key: value for key, value in before.luns.items() if key != which}
    return replace(before, luns=luns if item is None else {**luns, which: item})


def _timed(made: Node, lunmap: Lunmap) -> float:
    record = made.record(lunmap)
    began = time.monotonic()
    made.follow(record)
    return time.monotonic() - began
