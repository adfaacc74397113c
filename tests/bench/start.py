"""The start of lunmapctl: what it costs beside the imports of the libraries that it can't do without."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bench.figure import AtMost, Figure, Measured, times_bare

_ROUNDS = 15
_UNUSABLE = 7  # the exit code for a file that can't be used
_CTL = str(Path(sys.executable).with_name("lunmapctl"))
_CLICK = (sys.executable, "-c", "import click")
_LIBRARIES = (sys.executable, "-c", "import click, msgspec, kazoo.client")
# Each ends where it connects, since the CA of the servers can't be read.
_STOPPED = (_CTL, "--hosts", "127.0.0.1:1", "--tls-ca", "/nonexistent")
_VERBS = (("get", "luns", "db1"), ("status",), ("map", "db1", "host1"), ("plan", "unmap", "db1", "host1"))


def _compare(ours: tuple[str, ...], bare: tuple[str, ...], code: int = 0) -> Measured:
    """Compare the shortest of several runs of two programs, run alternately; `code` is that of ours."""
    runs = [(_seconds(ours, code), _seconds(bare)) for _ in range(_ROUNDS)]
    return times_bare(min(mine for mine, _ in runs), min(other for _, other in runs))


def _verbs() -> Measured:
    """Compare the slowest of several verbs."""
    found = [(_compare((*_STOPPED, *words), _LIBRARIES, _UNUSABLE), words[0]) for words in _VERBS]
    slowest = max(found, key=lambda each: each[0].value)
    return replace(slowest[0], note=f"the slowest of {len(_VERBS)} verbs is {slowest[1]}")


def _seconds(command: tuple[str, ...], code: int = 0) -> float:
    """Return the processor time of one run, with the bytecode of all modules cached as in an installation.

    Nothing waits, so that on an idle machine it is the time that passes. `code` is the expected exit code.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == code, command
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
        "the start of a verb of `lunmapctl` until it connects, beside the imports of click, msgspec and kazoo",
        AtMost(1.3),
        _verbs,
    ),
)
