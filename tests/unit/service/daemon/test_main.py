"""The modules that the two processes of a node import."""

import subprocess
import sys

import pytest

NOW_AND_THEN = ("cryptography", "prometheus_client")
NEVER = {
    "lunmapd.service.daemon.main": (*NOW_AND_THEN, "rtslib_fb"),
    "lunmapd.lio.worker.worker": (*NOW_AND_THEN, "kazoo", "yaml", "click"),
}


@pytest.mark.parametrize("module", NEVER)
def test_a_process_loads_no_library_before_it_needs_it(module: str) -> None:
    """These modules take megabytes; they are imported with the first secret or metrics, or not at all."""
    script = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {name for name in loaded if name.partition(".")[0] in NEVER[module]}
