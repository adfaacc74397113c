"""Whole runs of lunmapctl in maps of 100 and of 10,000 Luns, and beside a former build."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.figure import AtLeast, AtMost, Figure, Measured, seconds, times_bare, times_faster
from bench.former import FORMER, packed_former
from bench.rules import map_of_hosts
from bench.tree import ensemble, terms, tree
from lunmapd.client import show_map
from lunmapd.store.commit.commit import commit
from lunmapd.store.tree.read import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MANY, _FEW = 10_000, 100
_ROUNDS = 7
_MAIN = "from lunmapd.service.ctl import main; main()"
_PARSE = "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)"
_PATH = "      path: /dev/vg/l7\n"


class Run(NamedTuple):
    """What one process took: seconds of processor time and of wall time, and its largest RSS in MB."""

    cpu: float
    wall: float
    rss: float


def _run(words: Sequence[str], at: str = "") -> Run:
    """Run Python with these arguments, with the package in the directory `at`; check that it succeeds."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if at:
        env["PYTHONPATH"] = at
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *words], cwd=at or None, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None, "it is a pipe"
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, errors.decode()
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


class _Tree(NamedTuple):
    """A tree with a map, and the file of the map; each `apply` gives one Lun another size."""

    options: Sequence[str]
    text: str
    file: Path

    def verb(self, *words: str, at: str = "") -> Run:
        """Run a verb of lunmapctl."""
        return _run(("-c", _MAIN, *self.options, *words), at)

    def apply(self, size: int, at: str = "") -> Run:
        """Commit the file with one changed Lun."""
        self.file.write_text(self.text.replace(_PATH, f"{_PATH}    size: {size}\n"))
        return self.verb("apply", "-f", str(self.file), at=at)


@contextmanager
def _trees() -> Iterator[tuple[_Tree, _Tree]]:
    """Make trees of many and of few Luns on one server."""
    with (
        ensemble(1) as servers,
        tree(servers) as large,
        tree(servers) as small,
        tempfile.TemporaryDirectory() as place,
    ):
        found = []
        for session, count in ((large, _MANY), (small, _FEW)):
            lunmap = map_of_hosts(count)
            commit(session, read_tree(session), lunmap, terms())
            options = ("--hosts", servers.hosts, "--chroot", session.root)
            found.append(_Tree(options, show_map(lunmap), Path(place, f"{count}.yaml")))
        yield found[0], found[1]


def _compare(runs: Sequence[tuple[Run, Run]]) -> Measured:
    """Compare the shortest runs of many and few Luns: the larger ratio of processor and wall time."""
    cpu, wall = (
        tuple(min(getattr(run, kind) for run in side) for side in zip(*runs, strict=True))
        for kind in ("cpu", "wall")
    )
    ratios = cpu[0] / cpu[1], wall[0] / wall[1]
    note = f"beside: 100 Luns; processor time {ratios[0]:.2f}, wall time {ratios[1]:.2f}"
    return Measured(max(ratios), seconds(cpu[0]), seconds(cpu[1]), note)


def _change() -> Measured:
    with _trees() as (many, few):
        sizes = [str(number << 30) for number in range(2, 3 + _ROUNDS)]
        runs = [
            tuple(each.verb("lun", "set", "l7", f"size={size}", "--yes") for each in (many, few))
            for size in sizes
        ]
    return _compare([(one, other) for one, other in runs])


def _get() -> Measured:
    with _trees() as (many, few):
        return _compare(
            [(many.verb("get", "luns", "l7"), few.verb("get", "luns", "l7")) for _ in range(_ROUNDS)]
        )


def _apply_and_former() -> Measured:
    with _trees() as (many, _), _former_build() as former:
        runs = [
            (many.apply((4 * number + 4) << 30), many.apply((4 * number + 6) << 30, at=former))
            for number in range(2)
        ]
    return times_faster(min(run.cpu for run, _ in runs), min(run.cpu for _, run in runs), f"beside: {FORMER}")


@contextmanager
def _former_build() -> Iterator[str]:
    """Unpack the former build from the history of this repository."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["tar", "-x", "-C", place], input=packed_former(), check=True)
        subprocess.run([sys.executable, "-m", "compileall", "-q", place], check=True)
        yield place


def _apply_and_parser() -> Measured:
    with _trees() as (many, _):
        runs = [
            (many.apply((number + 2) << 30), _run(("-c", _PARSE, str(many.file))))
            for number in range(_ROUNDS)
        ]
    ours, bare = (min(run.cpu for run in side) for side in zip(*runs, strict=True))
    return times_bare(ours, bare, "bare: yaml.load of the file with CSafeLoader, the process too")


def _memory() -> Measured:
    with _trees() as (many, _):
        largest = max(many.apply(2 << 30).rss, many.verb("get").rss)
    return Measured(largest, f"{largest:.0f} MB", note="the larger of apply and get")


FIGURES = (
    Figure("ctl_one_change_10000_vs_100", "`lunmapctl lun set` of one of 10,000 Luns", AtMost(1.5), _change),
    Figure("ctl_get_one_10000_vs_100", "`lunmapctl get` of one of 10,000 Luns", AtMost(1.3), _get),
    Figure(
        "ctl_apply_10000_vs_before",
        f"`lunmapctl apply` of 10,000 Luns with one change, beside that of {FORMER}",
        AtLeast(5),
        _apply_and_former,
    ),
    Figure(
        "ctl_apply_10000_vs_parser",
        "`lunmapctl apply` of 10,000 Luns with one change, beside PyYAML's C parser",
        AtMost(2),
        _apply_and_parser,
    ),
    Figure("ctl_rss_mb_10000", "the memory of `lunmapctl` with 10,000 Luns", AtMost(120), _memory),
)
