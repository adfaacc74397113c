"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

Each module holds one group of verbs; `cli` holds the click group, and `start` lists the verbs.
"""

from lunmapd.service.cli import run_command
from lunmapd.service.ctl.cli import ctl


def main() -> None:
    """Run the command line. Each line of an error goes to standard error."""
    run_command("lunmapctl", ctl)
