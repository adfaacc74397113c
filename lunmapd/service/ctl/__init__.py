"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

Each module holds one group of verbs; `cli` holds the click group, and `start` lists the verbs.
"""

import gc
import signal
from typing import NoReturn

_MANY_OBJECTS = 100_000


def main() -> NoReturn:
    """Run the command line. Each line of an error goes to standard error.

    An interrupt while the modules are loaded ends the process at once, without Python's traceback.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lunmapd.service.cli import run_command  # noqa: PLC0415 - see above
    from lunmapd.service.ctl.cli import ctl  # noqa: PLC0415
    from lunmapd.service.ctl.interrupts import raise_interrupts  # noqa: PLC0415

    if before is signal.default_int_handler:
        raise_interrupts()
    # A map has no cycles: the collector would walk a large one again and again while it is made.
    gc.set_threshold(_MANY_OBJECTS)
    run_command("lunmapctl", ctl)
