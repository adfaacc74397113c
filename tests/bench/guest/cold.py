"""A cold apply: from an empty kernel to the whole map, seen."""

import logging
import tempfile
import time
from pathlib import Path

from bench.guest import bare
from bench.guest.clean import clean
from bench.guest.shape import NODE, Shape, lunmap, make_files
from lunmapd.agent.claims import Claims
from lunmapd.agent.memory import Memory
from lunmapd.agent.orders import Orders
from lunmapd.agent.reconcile import reconcile
from lunmapd.core.secrets import Keyring, Vault
from lunmapd.lio.kernel import Kernel


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Take the best of some rounds, ours and the bare one in turn."""
    shape = Shape(luns, initiators)
    make_files(shape)
    ours, plain = zip(*((_ours(shape), _bare(shape)) for _ in range(rounds)), strict=True)
    return {"ours": min(ours), "bare": min(plain)}


def _bare(shape: Shape) -> float:
    clean()
    began = time.monotonic()
    bare.build(shape)
    return time.monotonic() - began


def _ours(shape: Shape) -> float:
    """Measure a whole pass, with the start of the worker and the look at the end."""
    clean()
    logging.disable()
    vault = Vault("bench", Keyring())
    orders = Orders(NODE, 1, lunmap(shape), {}, vault, confirmed=lambda: None)
    with tempfile.TemporaryDirectory() as directory:
        kernel = Kernel()
        began = time.monotonic()
        result = reconcile(kernel, Claims(Path(directory, "claims")), orders, Memory(0))
        took = time.monotonic() - began
        kernel.close()
    assert result.converged, result.failures
    return took
