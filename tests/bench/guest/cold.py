"""A cold apply: from an empty kernel to the whole map, seen."""

import logging
import time

from bench.guest import bare
from bench.guest.clean import clean
from bench.guest.shape import NODE, Shape, lunmap, make_files
from bench.guest.site import node
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.lunmap import Node as MapNode


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the best time of some rounds, ours and the bare one in turn.

    `readback` is the bare one with the reading of what was made.
    """
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(shape)
    times = [(apply_cold(shape), *_bare(shape)) for _ in range(rounds)]
    return dict(zip(("ours", "bare", "readback"), map(min, zip(*times, strict=True)), strict=True))


def _bare(shape: Shape) -> tuple[float, float]:
    clean()
    began = time.monotonic()
    bare.build(shape)
    built = time.monotonic()
    bare.read()
    return built - began, time.monotonic() - began


def apply_cold(shape: Shape) -> float:
    """Measure the cycle of a running daemon that had nothing to serve, with both observations."""
    clean()
    whole = lunmap(shape)
    with node() as made:
        made.start(Lunmap(nodes={NODE: MapNode(1)}))
        record = made.record(whole)
        began = time.monotonic()
        made.follow(record)
        return time.monotonic() - began
