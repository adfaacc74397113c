"""Runs in the storage node: goes to a state while the I/O on a device hangs, and says what came of it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from lunmapd.core import lio
from lunmapd.core.plan import plan
from lunmapd.lio import wire
from lunmapd.lio.kernel import Deadlines, Kernel

_PATIENCE = 60.0


def main(state: Path, go: Path) -> None:
    """Do two passes while it hangs, wait for a file, and do more until nothing hangs any more; print both halves as JSON."""
    desired = lio.keyed(list(msgspec.json.decode(state.read_bytes(), type=wire.Seen).objects))
    kernel = Kernel(deadlines=Deadlines(step=3.0, observe=20.0))
    sys.stdout.write(json.dumps([_one_pass(kernel, desired), _one_pass(kernel, desired)]) + "\n")
    sys.stdout.flush()
    deadline = time.monotonic() + _PATIENCE
    while not go.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run(["dmsetup", "resume", "slow"], check=True)
    while (last := _one_pass(kernel, desired)["failures"]) and time.monotonic() < deadline + _PATIENCE:
        time.sleep(0.1)
    left = [str(step) for step in plan(desired, kernel.observe(frozenset()).objects)]
    kernel.close()
    sys.stdout.write(json.dumps({"last": last, "left": left}) + "\n")


def _one_pass(kernel: Kernel, desired: lio.Objects) -> dict[str, object]:
    reports = list(kernel.apply(plan(desired, kernel.observe(frozenset()).objects)))
    return {
        "failures": {
            lio.show_key(lio.key(report.step.item)): [report.failure.reason, report.failure.message]
            for report in reports
            if report.failure
        },
        "done": [str(report.step) for report in reports if not report.failure],
    }


main(*map(Path, sys.argv[1:]))
