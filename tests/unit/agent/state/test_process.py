"""Which process wrote a file."""

import subprocess

from msgspec.structs import replace

from lunmapd.agent.state.process import is_running, this_process


def test_this_process_runs() -> None:
    """A process is identified by boot, start time and id."""
    this = this_process("boot")
    assert is_running(this, "boot")
    assert not is_running(this, "another")
    assert not is_running(replace(this, start=this.start + 1), "boot")


def test_a_process_that_has_ended_does_not_run() -> None:
    """Nothing is found of it."""
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert not is_running(replace(this_process("boot"), pid=child.pid), "boot")
