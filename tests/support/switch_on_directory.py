"""The switch process of the lease, on a directory in place of configfs."""

import sys
from pathlib import Path

from lunmapd.lio.worker.switch_process import SwitchProcess

_ON_DIRECTORY = """
import sys
from lunmapd.lio.worker.switch import answer_any, decode_switch_request
from lunmapd.lio.worker.threads import serve_in_threads
serve_in_threads(decode_switch_request, answer_any(sys.argv[1]))
"""


def switch_on(root: Path) -> SwitchProcess:
    """Return a switch process that finds the Luns of LIO below this directory."""
    return SwitchProcess((sys.executable, "-c", _ON_DIRECTORY, str(root)))
