"""The build that some figures are measured beside: before verbs and reads were made for large maps."""

from __future__ import annotations

import subprocess

FORMER = "2523037"
"""Its revision in this repository."""


def packed_former() -> bytes:
    """Return the former `lunmapd` package as a tar archive. Raises AssertionError without that history."""
    found = subprocess.run(["git", "archive", FORMER, "lunmapd"], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    return found.stdout
