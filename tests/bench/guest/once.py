"""One start of the node until its LIO is as in the map: `lunmapd --once`, of this build and of another.

The other build is a package in /srv/former. Each has settings of its own, in /etc/lunmapd/NAME.yaml.
"""

import os
import subprocess
import sys
import time

from bench.guest.clean import clean
from bench.guest.shape import Shape, make_files

_FORMER = "from lunmapd.service.daemon import main; main()"
_BUILDS = {
    "ours": (("lunmapd",), {}),
    "former": ((sys.executable, "-c", _FORMER), {"PYTHONPATH": "/srv/former"}),
}


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the seconds of a start with an empty LIO, and the best of some with LIO as in the map."""
    make_files(Shape(luns, initiators))
    found = {}
    for build in _BUILDS:
        clean()
        found[f"{build}_cold"] = _start(build)
        found[f"{build}_equal"] = min(_start(build) for _ in range(rounds))
    return found


def _start(build: str) -> float:
    command, environment = _BUILDS[build]
    began = time.monotonic()
    subprocess.run(
        [*command, "-c", f"/etc/lunmapd/{build}.yaml", "--once"],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began
