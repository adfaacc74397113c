"""Runs in the storage node: `lunmapd adopt --take`, killed before it changes configfs for the given time."""

import os
import signal
import sys

from lunmapd.service.daemon.main import main

_ROOT = "/sys/kernel/config/target/"


class _Killer:
    """Counts the configfs files that are opened for writing, and ends the process at a chosen one."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if (
            event != "open"
            or not str(arguments[0]).startswith(_ROOT)
            or not int(str(arguments[2])) & os.O_ACCMODE
        ):
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_Killer(int(sys.argv[1])))
sys.argv = ["lunmapd", "adopt", "--take"]
main()
