"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

One module for each group of verbs.
"""

from lunmapd.service.ctl import edit, fleet, look
from lunmapd.service.ctl.group import ctl
from lunmapd.service.errors import reported

for _verb in (edit.init, edit.apply, look.get, fleet.status):
    ctl.add_command(_verb)


def main() -> None:
    """Run the command line; errors are one line each on standard error."""
    reported("lunmapctl", ctl)
