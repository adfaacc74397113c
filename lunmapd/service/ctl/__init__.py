"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO.

Each module holds one group of verbs; `cli` holds the click group and the connection.
"""

from lunmapd.service.cli import run_command
from lunmapd.service.ctl import (
    acl,
    check,
    edit,
    forget,
    get,
    history,
    override,
    probe,
    probe_setup,
    secret,
    status,
    upkeep,
)
from lunmapd.service.ctl.cli import ctl

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
    probe.probe,
    probe_setup.probe_setup,
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
    """Run the command line. Each line of an error goes to standard error."""
    run_command("lunmapctl", ctl)
