"""Block devices are watched with the kernel's own sockets."""

import subprocess
import sys
from pathlib import Path

OVERFLOW = Path(__file__).with_name("overflow.py")


def test_an_overflow_of_the_socket_rings_and_the_watch_goes_on() -> None:
    """Each time that the kernel had to drop events the loop is woken, and the watch lasts."""
    words = ("unshare", "--net", sys.executable, str(OVERFLOW))
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
