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
    """Return the best time of some rounds, ours and the bare one in turn."""
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(shape)
    ours, plain = zip(*((apply_cold(shape), _bare(shape)) for _ in range(rounds)), strict=True)
    return {"ours": min(ours), "bare": min(plain)}


def _bare(shape: Shape) -> float:
    clean()
    began = time.monotonic()
    bare.build(shape)
    return time.monotonic() - began


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
