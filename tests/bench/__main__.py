"""`make bench`: measures every figure, prints a table and writes build/bench.json, `{figure: value}`.

`--only NAME...` measures some. A goal that is missed is shown and is no error; a figure that can't be
measured is one.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import FIGURES
from bench.table import table
from lab import LabError
from lab.check import unfit

if TYPE_CHECKING:
    from bench.figure import Figure, Measured

RESULTS = Path("build/bench.json")


def main() -> int:
    """Measure; returns the exit code."""
    names = [figure.name for figure in FIGURES]
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=names, help=", ".join(names))
    chosen = parser.parse_args().only or names
    if reasons := unfit():
        print("the benchmark can't run here: " + "; ".join(reasons), file=sys.stderr)
        return 1
    # A figure that restarts servers would print a line for each connection of a hundred nodes.
    logging.disable(logging.WARNING)
    figures = [figure for figure in FIGURES if figure.name in chosen]
    found = {figure.name: _measure(figure) for figure in figures}
    print(f"\n{table(figures, found)}", flush=True)
    _write({name: measured.value for name, measured in found.items() if measured})
    return 0 if all(found.values()) else 1


def _measure(figure: Figure) -> Measured | None:
    print(f"== {figure.name}: {figure.says}", flush=True)
    began = time.monotonic()
    try:
        measured = figure.measure()
    except (LabError, AssertionError) as error:
        print(f"   not measured: {error}", flush=True)
        return None
    beside = f" beside {measured.bare}" if measured.bare else ""
    print(
        f"   {measured.ours}{beside}: {measured.value:.3g} ({time.monotonic() - began:.0f} s to measure)",
        flush=True,
    )
    return measured


def _write(values: dict[str, float]) -> None:
    """Keep what earlier runs found of figures that were not measured now."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    rounded = {name: float(f"{value:.4g}") for name, value in values.items()}
    RESULTS.write_text(json.dumps(before | rounded, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
