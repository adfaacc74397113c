"""Runs the tests layer by layer and reports the outcome of each.

`python -m layers` runs all; `--fast` only the tests that need neither root nor the lab; `--only NAME` only
that layer (it can be repeated). A layer that can't run on this machine is named and counts as a failure, and
so does a skipped test: a layer that was not run proved nothing.

Some layers are divided into parts, one for each module or folder, or a few of the same size. Each part runs
in a process of its own, and more of them at a time than there are processors: tests on machines mostly wait,
for boots, timeouts and sessions. The longest come first, so that no long one is left alone at the end.

A part that has not ended after 20 minutes is ended, and is a failure. Each part's processor time is printed
at its end, and each layer's in the summary ("busy"), where it can be counted. A run whose sum is near its own
time multiplied by the processors is made faster by less work only, not by another order.

When all parts are over, a few tests that failed are run once more, with nothing beside them. A test that
passes then is not broken by the change at hand: it is reported as unsteady, with its error, and its race has
to be found.
"""

import argparse
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.check import unfit
from processor_time import processor_time

BUILD = Path("build")
_AT_A_TIME = 8
_LINES_OF_A_FAILURE = 12
_FEW = 3
_LONGEST = 1200  # seconds of a part


@dataclass(frozen=True)
class Layer:
    """One layer: its tests, its purpose, and whether it needs the lab.

    `covers_core`: whether its tests reach each branch of the core, which is measured. `pace`: how many bytes
    of its tests take a second, roughly, with two processors. `divided`: into a part for each module and
    folder. `shares`: otherwise, how many parts of the same size.
    """

    name: str
    proves: str
    path: str
    pace: int
    needs_lab: bool = False
    covers_core: bool = False
    divided: bool = False
    shares: int = 1

    def parts(self) -> list["Part"]:
        """Return its parts."""
        if not self.divided and self.shares == 1:
            return [Part(self, self.name, (Path(self.path),))]
        places = [place for place in sorted(Path(self.path).iterdir()) if _size_of_tests(place)]
        if self.divided:
            return [Part(self, f"{self.name}-{place.stem}", (place,)) for place in places]
        dealt = _dealt(places, self.shares)
        return [Part(self, f"{self.name}-{number}", share) for number, share in enumerate(dealt, 1) if share]


def _size_of_tests(place: Path) -> int:
    modules = [place] if place.match("test_*.py") else place.rglob("test_*.py")
    return sum(module.stat().st_size for module in modules)


def _dealt(places: Iterable[Path], shares: int) -> list[tuple[Path, ...]]:
    """Return the places in so many shares of about the same size."""
    dealt: list[tuple[Path, ...]] = [()] * shares
    for place in sorted(places, key=_size_of_tests, reverse=True):
        dealt.sort(key=lambda share: sum(map(_size_of_tests, share)))
        dealt[0] = (*dealt[0], place)
    return dealt


@dataclass(frozen=True)
class Part:
    """A part of a layer: the modules and folders that one process of pytest runs. Files bear its name."""

    layer: Layer
    name: str
    places: tuple[Path, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.places))

    @property
    def seconds(self) -> float:
        """How long it takes, roughly."""
        return sum(map(_size_of_tests, self.places)) / self.layer.pace


LAYERS = (
    Layer("unit", "single rules", "tests/unit", 5000, covers_core=True),
    Layer("property", "laws that hold for any map and any kernel", "tests/property", 800),
    Layer(
        "contract",
        "the fake LIO and the kernel answer alike",
        "tests/contract",
        150,
        needs_lab=True,
        shares=3,
    ),
    Layer(
        "chaos", "writers and nodes get over every fault of an ensemble", "tests/chaos", 30, needs_lab=True
    ),
    Layer(
        "package",
        "the Debian package under a real systemd",
        "tests/package",
        50,
        needs_lab=True,
        divided=True,
    ),
    Layer(
        "system",
        "storage nodes and an initiator on real kernels",
        "tests/system",
        60,
        needs_lab=True,
        divided=True,
    ),
    Layer(
        "integration",
        "a real ZooKeeper ensemble",
        "tests/integration",
        500,
        needs_lab=True,
        divided=True,
    ),
)


@dataclass(frozen=True)
class Failure:
    """A test that failed or was skipped, and the lines that show why."""

    test: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n    ".join([self.test, *self.lines])


@dataclass(frozen=True)
class Outcome:
    """The outcome of some parts of a layer.

    `passed` includes the `unsteady` tests, which passed in the second run. `broken` are the parts with
    failures. `seconds` is the sum of the parts' times, `busy` that of their processor times.
    """

    layer: Layer
    passed: int
    failed: int
    skipped: int
    seconds: float
    busy: float = 0.0
    failures: tuple[Failure, ...] = ()
    unsteady: tuple[Failure, ...] = ()
    broken: tuple[Part, ...] = ()

    @property
    def good(self) -> bool:
        """Return whether the layer ran completely and passed."""
        return self.passed > 0 and not self.failed and not self.skipped


def main() -> int:
    """Run the layers; returns the exit code."""
    parser = argparse.ArgumentParser(prog="layers", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only what needs neither root nor the lab")
    names = [layer.name for layer in LAYERS]
    parser.add_argument("--only", action="append", choices=names, help="this layer (can be repeated)")
    args = parser.parse_args()
    return run_all(chosen(args.only or names, fast=args.fast), fast=args.fast)


def chosen(names: Sequence[str], *, fast: bool = False) -> list[Layer]:
    """Return the layers of these names; with `fast` those with tests that need neither root nor the lab."""
    layers = [layer for layer in LAYERS if layer.name in names]
    return [layer for layer in layers if not layer.needs_lab or layer.name == "contract" or not fast]


def run_all(wanted: Sequence[Layer], *, fast: bool) -> int:
    """Run these layers; returns the exit code.

    The coverage of the core is reported if the layer that measures it is among them.
    """
    began = time.monotonic()
    reasons = [] if fast or not any(layer.needs_lab for layer in wanted) else unfit()
    layers = [layer for layer in wanted if _can_run(layer, fast=fast, reasons=reasons)]
    parts = longest_first(part for layer in layers for part in layer.parts())
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(partial(run, fast=fast), parts))
    wholes = [total(layer, (each for each in found if each.layer == layer)) for layer in layers]
    outcomes = [run_again(whole, fast=fast) for whole in wholes]
    measured = all(layer in layers for layer in LAYERS if layer.covers_core)
    covered = not measured or _coverage()
    _summarise(outcomes, reasons, time.monotonic() - began)
    return 0 if covered and not reasons and all(outcome.good for outcome in outcomes) else 1


def longest_first(parts: Iterable[Part]) -> list[Part]:
    """Return the parts in the order in which they are started."""
    return sorted(parts, key=lambda part: -part.seconds)


def _can_run(layer: Layer, *, fast: bool, reasons: list[str]) -> bool:
    if layer.needs_lab and not fast and reasons:
        print(f"== {layer.name}: can't run here: {'; '.join(reasons)}", flush=True)
        return False
    return True


def run(part: Part, *, fast: bool = False, failed_only: bool = False) -> Outcome:
    """Run a part, or only those of its tests that failed the last time."""
    layer = part.layer
    _say(layer, f"{part}: {'those that failed, once more and alone' if failed_only else layer.proves}")
    report = BUILD / f"junit-{part.name}{'-again' if failed_only else ''}.xml"
    report.unlink(missing_ok=True)
    command = [*_pytest(part), f"--junitxml={report}"]
    command += ["-m", "not kernel"] if fast else []
    command += ["--last-failed", "--last-failed-no-failures=none"] if failed_only else []
    began = time.monotonic()
    with processor_time(part.name) as meter:
        bounded = meter.counted(["timeout", str(_LONGEST), *command])
        with subprocess.Popen(
            bounded, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as running:
            for line in running.stdout or ():
                _say(layer, line.rstrip())
        busy = meter.seconds()
    _say(layer, f"{part}: {busy:.0f} s of processor time")
    return replace(_count(part, report, time.monotonic() - began), busy=busy)


def _pytest(part: Part) -> list[str]:
    measured = ["coverage", "run", "--parallel-mode", "-m"] if part.layer.covers_core else []
    remembers = f"cache_dir={(BUILD / f'pytest-{part.name}').absolute()}"
    verbosity = "-v" if part.layer.needs_lab else "-q"
    return [sys.executable, "-m", *measured, "pytest", verbosity, "-o", remembers, *map(str, part.places)]


def total(layer: Layer, outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of the parts of a layer together."""
    whole = Outcome(layer, 0, 0, 0, 0.0)
    for each in outcomes:
        whole = Outcome(
            layer,
            whole.passed + each.passed,
            whole.failed + each.failed,
            whole.skipped + each.skipped,
            whole.seconds + each.seconds,
            whole.busy + each.busy,
            whole.failures + each.failures,
            broken=whole.broken + each.broken,
        )
    return whole


def run_again(first: Outcome, *, fast: bool = False) -> Outcome:
    """Run the failed tests of a layer once more, unless they are many or a test was skipped.

    Tests that pass now are removed from the failures.
    """
    if first.skipped or not 0 < first.failed <= _FEW:
        return first
    second = total(first.layer, (run(part, fast=fast, failed_only=True) for part in first.broken))
    if second.passed + second.failed != first.failed:
        return first
    still = {failure.test for failure in second.failures}
    return replace(
        first,
        passed=first.passed + second.passed,
        failed=second.failed,
        failures=tuple(failure for failure in first.failures if failure.test in still),
        unsteady=tuple(failure for failure in first.failures if failure.test not in still),
    )


def _say(layer: Layer, line: str) -> None:
    """Print a line of a layer, with the layer's name, since several parts run at the same time."""
    print(f"{layer.name:11} | {line}", flush=True)


def _count(part: Part, report: Path, seconds: float) -> Outcome:
    if not report.exists():
        why = f"it did not end in {_LONGEST} s" if seconds >= _LONGEST else "pytest wrote no report"
        return Outcome(
            part.layer, 0, 1, 0, seconds, failures=(Failure(f"{part}: {why}", ()),), broken=(part,)
        )
    root = ET.parse(report).getroot()  # noqa: S314 - pytest wrote it just now
    suites = list(root.iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites)
        for name in ("tests", "failures", "errors", "skipped")
    )
    passed = tests - failures - errors - skipped
    failed = failures + errors
    broken = (part,) if failed else ()
    return Outcome(
        part.layer, passed, failed, skipped, seconds, failures=tuple(_failures(root)), broken=broken
    )


def _failures(root: ET.Element) -> Iterator[Failure]:
    """Yield each test that did not pass, with the lines that pytest marks with "E" and its place."""
    for case in root.iter("testcase"):
        for fault in (*case.iter("failure"), *case.iter("error"), *case.iter("skipped")):
            lines = (fault.text or "").strip().splitlines()
            marked = [line for line in lines if line.startswith("E ")] or lines[-_LINES_OF_A_FAILURE:]
            place = [line for line in lines[-1:] if line not in marked]
            test = f"{case.get('classname')}::{case.get('name')}"
            yield Failure(test, (*marked[:_LINES_OF_A_FAILURE], *place))


def _coverage() -> bool:
    print("== coverage of the pure core", flush=True)
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "--quiet"], check=False)
    return subprocess.run([*coverage, "report"], check=False).returncode == 0


def _summarise(outcomes: Sequence[Outcome], reasons: list[str], seconds: float) -> None:
    print("\n== summary")
    for outcome in outcomes:
        word = "ok" if outcome.good else "FAILED"
        print(
            f"{outcome.layer.name:12} {word:7} {outcome.passed:4} passed, {outcome.failed} failed, "
            f"{outcome.skipped} skipped, {outcome.seconds:.0f} s, busy {outcome.busy:.0f} s"
        )
        for failure in outcome.failures:
            print(f"  {failure}")
        for failure in outcome.unsteady:
            print(f"  unsteady, it passed alone: {failure}")
    for reason in reasons:
        print(f"the layers that need the lab can't run here: {reason} (make test-fast runs only the others)")
    passed, failed = sum(o.passed for o in outcomes), sum(o.failed + o.skipped for o in outcomes)
    unsteady = sum(len(o.unsteady) for o in outcomes)
    told = f", {unsteady} of them unsteady" if unsteady else ""
    print(f"{passed} passed{told}, {failed + len(reasons)} failed, in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
