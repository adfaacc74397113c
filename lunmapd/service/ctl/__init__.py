"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

One module for each group of verbs.
"""

from lunmapd.service.ctl import acl, check, edit, fleet, forget, history, hold, look, secret, upkeep
from lunmapd.service.ctl.group import ctl
from lunmapd.service.errors import reported

_VERBS = (
    edit.init,
    edit.apply,
    edit.rollback,
    edit.confirm,
    hold.override,
    edit.large,
    look.get,
    history.log,
    history.show,
    history.diff,
    fleet.status,
    check.check,
    forget.forget,
    upkeep.trim,
    upkeep.backup,
    upkeep.restore,
    upkeep.repair,
    upkeep.migrate,
    secret.secret,
    acl.acl,
)
for _verb in _VERBS:
    ctl.add_command(_verb)


def main() -> None:
    """Run the command line; errors are one line each on standard error."""
    reported("lunmapctl", ctl)
