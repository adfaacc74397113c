"""Runs the tests layer by layer and says of each what it found.

`python -m layers` runs all; `--fast` only what needs neither root nor the lab. A layer that can't run on this machine
is named and counts as a failure, and so does a skipped test: a layer that was not run proved nothing.

The lab's layer mostly waits: for machines, timeouts, sessions. So the others run beside it, one after the other, cheapest first.
"""

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.check import unfit

BUILD = Path("build")
_LINES_OF_A_FAILURE = 12


@dataclass(frozen=True)
class Layer:
    """One layer: its tests, what it proves, whether it needs the lab, and whether it runs beside the others."""

    name: str
    proves: str
    path: str
    needs_lab: bool = False
    covers_core: bool = False
    beside: bool = False


LAYERS = (
    Layer("unit", "single rules", "tests/unit", covers_core=True),
    Layer("property", "laws that hold for any map and any kernel", "tests/property", covers_core=True),
    Layer("contract", "the fake LIO and the kernel answer alike", "tests/contract", needs_lab=True),
    Layer("integration", "a real ZooKeeper ensemble", "tests/integration", needs_lab=True),
    Layer("chaos", "writers and nodes get over every fault of an ensemble", "tests/chaos", needs_lab=True),
    Layer(
        "lab", "storage nodes and an initiator on real kernels", "tests/system", needs_lab=True, beside=True
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a layer."""

    layer: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether the layer proved what it is there for."""
        return self.passed > 0 and not self.failed and not self.skipped


def main() -> int:
    """Run the layers; returns the exit code."""
    parser = argparse.ArgumentParser(prog="layers", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only what needs neither root nor the lab")
    fast = parser.parse_args().fast
    reasons = [] if fast else unfit()
    layers = [layer for layer in LAYERS if _can_run(layer, fast=fast, reasons=reasons)]
    lanes = [[layer for layer in layers if layer.beside is beside] for beside in (False, True)]
    with ThreadPoolExecutor(len(lanes)) as pool:
        outcomes = [
            outcome for lane in pool.map(lambda lane: _run_all(lane, fast=fast), lanes) for outcome in lane
        ]
    covered = _coverage()
    _summarise(outcomes, reasons)
    return 0 if covered and not reasons and all(outcome.good for outcome in outcomes) else 1


def _can_run(layer: Layer, *, fast: bool, reasons: list[str]) -> bool:
    if fast:
        return not layer.needs_lab or layer.name == "contract"
    if layer.needs_lab and reasons:
        print(f"== {layer.name}: can't run here: {'; '.join(reasons)}", flush=True)
        return False
    return True


def _run_all(layers: Sequence[Layer], *, fast: bool) -> list[Outcome]:
    return [_run(layer, fast=fast) for layer in layers]


def _run(layer: Layer, *, fast: bool) -> Outcome:
    _say(layer, layer.proves)
    report = BUILD / f"junit-{layer.name}.xml"
    report.unlink(missing_ok=True)
    python = [sys.executable, "-m"]
    measured = ["coverage", "run", "--parallel-mode", "-m"] if layer.covers_core else []
    chosen = ["-m", "not lab"] if fast else []
    began = time.monotonic()
    command = [
        *python,
        *measured,
        "pytest",
        "-v" if layer.beside else "-q",
        layer.path,
        *chosen,
        f"--junitxml={report}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout or ():
            _say(layer, line.rstrip())
    return _count(layer, report, time.monotonic() - began)


def _say(layer: Layer, line: str) -> None:
    """Print a line of a layer; those of two layers that run at the same time are told apart by its name."""
    print(f"{layer.name:11} | {line}", flush=True)


def _count(layer: Layer, report: Path, seconds: float) -> Outcome:
    if not report.exists():
        return Outcome(layer.name, 0, 1, 0, seconds, ("pytest wrote no report",))
    root = ET.parse(report).getroot()  # noqa: S314 - pytest wrote it just now
    suites = list(root.iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    passed = tests - failures - errors - skipped
    return Outcome(layer.name, passed, failures + errors, skipped, seconds, tuple(_failures(root)))


def _failures(root: ET.Element) -> Iterator[str]:
    """Tell each test that failed or was skipped, with what pytest marks as its error (lines that begin with "E") and where it was."""
    for case in root.iter("testcase"):
        for fault in (*case.iter("failure"), *case.iter("error"), *case.iter("skipped")):
            lines = (fault.text or "").strip().splitlines()
            marked = [line for line in lines if line.startswith("E ")] or lines[-_LINES_OF_A_FAILURE:]
            name = f"{case.get('classname')}::{case.get('name')}"
            place = [line for line in lines[-1:] if line not in marked]
            yield "\n    ".join([name, *marked[:_LINES_OF_A_FAILURE], *place])


def _coverage() -> bool:
    print("== coverage of the pure core", flush=True)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], check=False)
    return subprocess.run([*coverage, "report"], check=False).returncode == 0


def _summarise(outcomes: list[Outcome], reasons: list[str]) -> None:
    print("\n== summary")
    for outcome in outcomes:
        word = "ok" if outcome.good else "FAILED"
        print(
            f"{outcome.layer:12} {word:7} {outcome.passed:4} passed, {outcome.failed} failed, "
            f"{outcome.skipped} skipped, {outcome.seconds:.0f} s"
        )
        for failure in outcome.failures:
            print(f"  {failure}")
    for reason in reasons:
        print(
            f"contract, integration, chaos and lab can't run here: {reason} (make test-fast runs only the others)"
        )
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed + o.skipped for o in outcomes)
    print(f"{passed} passed, {failed + len(reasons)} failed", flush=True)


if __name__ == "__main__":
    sys.exit(main())
