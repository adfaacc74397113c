"""One LUN that is added, changed and removed among many, by lunmapd and by plain system calls."""

import logging
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from msgspec.structs import replace

from bench.guest import bare
from bench.guest.clean import clean
from bench.guest.shape import Shape, lun, lunmap, make_files, name
from bench.guest.site import Node, node
from lunmapd.core.base.lunmap import Lun, Lunmap

_NEVER = 1e9
_KINDS = ("add", "change", "remove")


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the median of each kind of change, in seconds; `bare_` is before the names of the bare ones.

    The bare LUN is another one of the same target, made and removed between two passes.
    """
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(Shape(luns + 2, initiators))
    clean()
    with node(_NEVER) as made:
        made.start(lunmap(shape))
        times = [(*_round(made, shape), *_bare(luns + 1)) for _ in range(rounds)]
    medians = map(median, zip(*times, strict=True))
    return dict(zip((*_KINDS, *(f"bare_{kind}" for kind in _KINDS)), medians, strict=True))


def _bare(number: int) -> tuple[float, ...]:
    return tuple(_seconds(partial(work, number)) for work in (bare.add, bare.change, bare.remove))


def _seconds(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


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
    return _seconds(partial(made.follow, record))
