"""A pass that finds everything as it should be."""

import logging
import time
from collections.abc import Callable
from statistics import median

from bench.guest import bare
from bench.guest.clean import clean
from bench.guest.shape import Shape, lunmap, make_files
from bench.guest.site import node


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the median of some full passes without changes, and of the bare reading in turn."""
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(shape)
    clean()
    with node() as made:
        made.start(lunmap(shape))
        times = [(_timed(made.again), _timed(bare.read)) for _ in range(rounds)]
    ours, plain = zip(*times, strict=True)
    return {"ours": median(ours), "bare": median(plain)}


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
