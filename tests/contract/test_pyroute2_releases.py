"""The oldest supported release of pyroute2, and the locked one, on this host's kernel.

The releases read a lifetime in different ways, and take one that they don't find for "forever".
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract.releases import unpacked

pytestmark = pytest.mark.kernel

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("release", ["oldest", "locked"])
def test_a_lifetime_reaches_the_kernel(release: str) -> None:
    """Addresses come with their lifetime, are read back and removed; own ones stay and are refused."""
    places = [str(unpacked("pyroute2", release))] if release != "locked" else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*places, str(TESTS.parent), str(TESTS)])}
    guest = [sys.executable, str(TESTS / "contract" / "lease_guest.py"), "own-addresses"]
    done = subprocess.run(
        ["unshare", "--net", *guest], env=environment, capture_output=True, check=True, timeout=60
    )
    result = json.loads(done.stdout)["own-addresses"]
    assert result.pop("refused") == ["NoInterfaceError"] * 2
    assert result == {"lifetimes": [5], "source": "10.55.0.1", "kept": True, "own": True}
