"""The long form on the fake LIO: `make fuzz` runs it."""

import argparse
import logging
import sys
import time

from fuzz.fake import Fake
from fuzz.search import MEMORY, Count, search

STEPS = 300_000
_TELL_EVERY = 5000


def main() -> int:
    """Run sequences until a law is broken, or all steps were made; return the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first sequence (default %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of lunmapd (default %(default)s)")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # each step has a line
    count, began = Count(), time.monotonic()
    while count.steps < given.steps:
        found = search(
            given.seed + count.sequences, min(given.steps, count.steps + _TELL_EVERY), Fake, MEMORY, count
        )
        print(
            f"[{time.monotonic() - began:6.1f} s] {count}, up to seed {given.seed + count.sequences - 1}",
            flush=True,
        )
        if found is not None:
            print(found)
            return 1
    print("every law was kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
