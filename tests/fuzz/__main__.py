"""The long form, on the fake LIO or on a kernel of the lab: `make fuzz` runs it."""

import argparse
import logging
import sys
import time

from fuzz.fake import Fake
from fuzz.machine import fuzz_kernel
from fuzz.search import MEMORY, Count, search
from lab import Lab

STEPS, STEPS_ON_A_KERNEL = 300_000, 3000
_TELL_EVERY = 5000


def main() -> int:
    """Run sequences until a law is broken, or all steps were made; return the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sequence (default %(default)s)"
    )
    parser.add_argument(
        "--steps", type=int, help=f"steps of lunmapd (default {STEPS}, or {STEPS_ON_A_KERNEL})"
    )
    parser.add_argument("--kernel", action="store_true", help="on a kernel, in a machine of the lab")
    given = parser.parse_args()
    if given.kernel:
        return _fuzz_kernel(given.seed, given.steps or STEPS_ON_A_KERNEL)
    return _fuzz_fake(given.seed, given.steps or STEPS)


def _fuzz_kernel(seed: int, steps: int) -> int:
    with Lab() as lab:
        result = fuzz_kernel(lab.machine("node"), seed, steps)
    print(result.stdout + result.stderr)
    if result.status:
        print(_again(seed, "KERNEL=1 "))
    return result.status


def _fuzz_fake(seed: int, steps: int) -> int:
    logging.disable(logging.CRITICAL)  # each step has a line
    count, began = Count(), time.monotonic()
    while count.steps < steps:
        found = search(seed + count.sequences, min(steps, count.steps + _TELL_EVERY), Fake, MEMORY, count)
        passed = time.monotonic() - began
        print(f"[{passed:6.1f} s] {count}, up to seed {seed + count.sequences - 1}", flush=True)
        if found is not None:
            print(f"{found}\n{_again(found.seed)}")
            return 1
    print("every law was kept")
    return 0


def _again(seed: int, where: str = "") -> str:
    return f"run it again with: make fuzz {where}SEED={seed} STEPS=1"


if __name__ == "__main__":
    sys.exit(main())
