"""The timer that ends a process at an absolute time."""

import os
import select
import signal
import subprocess
import sys

import pytest

from lunmapd.clock import boot_time
from lunmapd.service.lease.kill_timer import killed_at

_WAITS = """
import sys, time
from lunmapd.clock import boot_time
from lunmapd.service.lease.kill_timer import killed_at
with killed_at(boot_time() + float(sys.argv[1])):
    print(flush=True)
    time.sleep(30)
"""
_CHILD = """
import os, sys, time
from lunmapd.service.lease.kill_timer import die_with_parent
die_with_parent(int(sys.argv[1]))
print(flush=True)
time.sleep(30)
"""
_PARENT = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_CHILD!r}, str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_the_process_ends_at_the_time(*, stopped: bool) -> None:
    """SIGKILL ends it in the middle of its work, also while it is stopped."""
    with subprocess.Popen([sys.executable, "-c", _WAITS, "0.3"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if stopped:
            process.send_signal(signal.SIGSTOP)
        assert process.wait(60) == -signal.SIGKILL


def test_a_context_that_ended_in_time_leaves_no_timer() -> None:
    """The process lives on after the time."""
    with killed_at(boot_time() + 0.05):
        pass
    select.select([], [], [], 0.1)


def test_a_process_dies_with_its_parent() -> None:
    """A process that is stopped ends when its parent is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        end = os.pidfd_open(child)
        os.kill(child, signal.SIGSTOP)
        parent.kill()
        assert select.select([end], [], [], 10)[0], "it has ended"
        os.close(end)


def test_another_parent_is_refused() -> None:
    """A process whose parent ended before does not start."""
    code = "from lunmapd.service.lease.kill_timer import die_with_parent; die_with_parent(1 << 22)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ProcessLookupError" in done.stderr
