"""A process that has ended but for one thread."""

import sys

_SCRIPT = (
    "import ctypes,threading\n"
    "threading.Thread(target=threading.Event().wait,args=(60,)).start()\n"
    "ctypes.CDLL(None).pthread_exit(None)"
)
STAYS = (sys.executable, "-c", _SCRIPT)
"""Its first thread ends, and the other one keeps its pipes open, as SIGKILL leaves a thread in state D."""
