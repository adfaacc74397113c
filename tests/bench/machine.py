"""A machine with a kernel of its own, and a measurement in it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab import Lab
from lab.build.root import root
from lab.machines.qemu import qemu

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Ensemble, Machine

_HERE = Path(__file__).parent
_THERE = "/srv/bench"


@contextmanager
def node(memory: str = "2G") -> Iterator[Machine]:
    """Give a storage node that has lunmapd and the guest's part of the benchmark."""
    with Lab() as lab:
        yield _machine(lab, memory)


@contextmanager
def cluster(memory: str = "2G") -> Iterator[tuple[Machine, Ensemble]]:
    """Give such a node, and a ZooKeeper server that it reaches."""
    with Lab() as lab:
        yield _machine(lab, memory), lab.ensemble()


@contextmanager
def node_with_processors(number: int) -> Iterator[Machine]:
    """Give an emulated one that has several processors, which User-Mode Linux can't have."""
    with Lab(driver=qemu(root("qemu"))) as lab:
        yield _machine(lab, "1G", number)


def _machine(lab: Lab, memory: str, cpus: int = 1) -> Machine:
    machine = lab.machine("node", memory=memory, cpus=cpus)
    for file in (_HERE / "__init__.py", *(_HERE / "guest").glob("*.py")):
        machine.put(f"{_THERE}/bench/{file.relative_to(_HERE)}", file.read_text())
    return machine


def measure(machine: Machine, *words: str | int, timeout: float = 600.0) -> dict[str, float]:
    """Run one of the measurements of guest/__main__.py."""
    command = ["env", f"PYTHONPATH={_THERE}", "python3", "-m", "bench.guest", *map(str, words)]
    found: dict[str, float] = json.loads(machine.run(command, timeout=timeout).stdout)
    return found
