"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

One module for each group of verbs.
"""

from lunmapd.service.ctl import acl, check, edit, forget, get, history, override, secret, status, upkeep
from lunmapd.service.ctl.cli import ctl
from lunmapd.service.errors import reported

_VERBS = (
    edit.init,
    edit.apply,
    edit.rollback,
    edit.confirm,
    override.override,
    edit.large,
    get.get,
    history.log,
    history.show,
    history.diff,
    status.status,
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
