"""The same configuration made by lunmapd, and by targetctl from a saved configuration."""

import logging
import subprocess
import time

from bench.guest.bare import TPG, directories
from bench.guest.clean import clean
from bench.guest.cold import apply_cold
from bench.guest.shape import Shape, make_files

_FILE = "/srv/saveconfig.json"


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Take the best of some rounds of ours, and one restore."""
    logging.disable()
    shape = Shape(luns, initiators)
    make_files(shape)
    ours = min(apply_cold(shape) for _ in range(rounds))
    _targetctl("save")
    clean()
    began = time.monotonic()
    _targetctl("restore")
    restored = time.monotonic() - began
    assert len(directories(f"{TPG}/lun")) == luns, "targetctl did not restore everything"
    return {"ours": ours, "restore": restored}


def _targetctl(verb: str) -> None:
    subprocess.run(["targetctl", verb, _FILE], check=True, capture_output=True)
