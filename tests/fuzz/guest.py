"""Runs in a machine: sequences on the kernel's LIO.

The arguments are the seed of the first sequence, and the steps. It prints what it tried, or the broken law.
"""

import logging
import sys

from fuzz.real import FILES, Real
from fuzz.search import Count, search
from fuzz.world import Lio


def main() -> int:
    """Return the exit code."""
    logging.disable(logging.CRITICAL)  # each step has a line
    seed, steps = map(int, sys.argv[1:])
    count = Count()
    lios: list[Real] = []

    def start() -> Lio:
        if lios:
            lios.pop().close()
        lios.append(Real())
        return lios[0]

    found = search(seed, steps, start, FILES, count, is_shortened=False)
    lios[0].close()
    sys.stdout.write(
        f"{count}, seeds {seed} to {seed + count.sequences - 1}\n{found or 'every law was kept'}\n"
    )
    return found is not None


if __name__ == "__main__":
    sys.exit(main())
