"""Runs in the storage node: applies states during a device's I/O hang, each with its own kernel object."""

import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import plan
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.kernel import Deadlines, Kernel, KernelUnreadableError

_PATIENCE = 300.0


def main(states: Path, go: Path) -> None:
    """Do two passes for each state during the hang, wait for a file, then pass until nothing hangs.

    Prints both halves as JSON.
    """
    kernel, passes = _kernel(), list[object]()
    for state in msgspec.json.decode(states.read_bytes(), type=list[wire.ObservedAnswer]):
        kernel.close()
        kernel, desired = (
            _kernel(),
            lio_objects.complete_objects({lio_objects.key_of(item): item for item in state.objects}),
        )
        passes += [_one_pass(kernel, desired), _one_pass(kernel, desired)]
    sys.stdout.write(json.dumps(passes) + "\n")
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


def _kernel() -> Kernel:
    return Kernel(deadlines=Deadlines(step=5.0, observe=20.0))


def _one_pass(kernel: Kernel, desired: lio_objects.DesiredObjects) -> dict[str, object]:
    try:
        found = kernel.observe(frozenset()).objects
    except KernelUnreadableError as error:
        return {"failures": {"LIO": [error.failure.reason, error.failure.message]}, "done": []}
    reports = list(kernel.apply(plan(desired, found)))
    return {
        "failures": {
            lio_objects.show_key(lio_objects.key_of(report.step.item)): [
                report.failure.reason,
                report.failure.message,
            ]
            for report in reports
            if report.failure
        },
        "done": [str(report.step) for report in reports if not report.failure],
    }


main(*map(Path, sys.argv[1:]))
