"""`python -m vagrant DIRECTORY` builds the box there."""

import sys
from pathlib import Path

from lab.errors import LabError
from vagrant.box import NAME, build


def main() -> int:
    """Build the box; returns the exit code."""
    try:
        box = build(Path(sys.argv[1]))
    except LabError as err:
        print(f"box: {err}", file=sys.stderr)
        return 1
    print(f"box: {box}: vagrant box add --name {NAME} {box}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
