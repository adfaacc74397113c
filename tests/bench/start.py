"""The start of lunmapctl: what it costs beside the imports of the libraries that it can't do without."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from bench.figure import AtMost, Figure, Measured, times_bare

_ROUNDS = 15
_CTL = str(Path(sys.executable).with_name("lunmapctl"))
_CLICK = (sys.executable, "-c", "import click")
_LIBRARIES = (sys.executable, "-c", "import click, msgspec, kazoo.client")
# Everything that `get` imports before it connects.
_GET = (sys.executable, "-c", "import lunmapd.service.ctl.get, lunmapd.service.ctl.connect")


def _compare(ours: tuple[str, ...], bare: tuple[str, ...]) -> Measured:
    """Compare the shortest of several runs of two programs, run alternately."""
    runs = [(_seconds(ours), _seconds(bare)) for _ in range(_ROUNDS)]
    return times_bare(min(mine for mine, _ in runs), min(other for _, other in runs))


def _seconds(command: tuple[str, ...]) -> float:
    """Return the processor time of one run, with the bytecode of all modules cached as in an installation.

    Nothing waits, so that on an idle machine it is the time that passes.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


FIGURES = (
    Figure(
        "ctl_version_vs_click",
        "`lunmapctl --version`, beside the import of click",
        AtMost(1.5),
        lambda: _compare((_CTL, "--version"), _CLICK),
    ),
    Figure(
        "ctl_help_vs_click",
        "`lunmapctl --help`, beside the import of click",
        AtMost(1.5),
        lambda: _compare((_CTL, "--help"), _CLICK),
    ),
    Figure(
        "ctl_verb_vs_libraries",
        "the imports of `lunmapctl get`, beside those of click, msgspec and kazoo",
        AtMost(1.3),
        lambda: _compare(_GET, _LIBRARIES),
    ),
)
