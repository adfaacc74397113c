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
    # Modules and a map have few cycles: the collector would walk them again and again while they are made.
    gc.set_threshold(_MANY_OBJECTS)
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lunmapd.service.cli import run_command
    from lunmapd.service.ctl.cli import ctl
    from lunmapd.service.ctl.interrupts import raise_interrupts

    if before is signal.default_int_handler:
        raise_interrupts()
    run_command("lunmapctl", ctl)
