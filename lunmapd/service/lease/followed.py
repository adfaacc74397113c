"""The floating portal groups and takeover groups of the daemon: what they act on, and when they end."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lunmapd.agent.floating.group import Edges
from lunmapd.agent.floating.groups import GroupThreads
from lunmapd.agent.floating.own_report import Identity
from lunmapd.agent.floating.stored_group import StoredGroup
from lunmapd.agent.floating.tpgs import ForeignTpgError, TpgError, TpgStuckError
from lunmapd.agent.loop.unexpected import UnexpectedLog
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import GroupId, TpgId
from lunmapd.core.placement.leased_groups import takeover_nodes
from lunmapd.lio.worker.switch import SwitchAction
from lunmapd.lio.worker.switch_process import (
    SwitchForeignError,
    SwitchLateError,
    SwitchProcess,
    SwitchRefusedError,
)
from lunmapd.service.lease.client import LeaseProcess
from lunmapd.service.lease.hooked import Hooked
from lunmapd.service.lease.luns import LunStates, NoTpg
from lunmapd.store.session.session import Session

LOCK_FILE = "lease.lock"
_REQUEST = 2.0
"""How long in seconds ZooKeeper may take to answer a request about a lease.

A renewal is sent a second after the one before, and the kernel has the addresses for at least five seconds:
after an unanswered renewal two of them are left to reach another server.
"""

_RELEASE = 20.0
"""How long in seconds a stop waits for the release of all groups."""

_PROLONG = 3.0
"""How long in seconds a restart waits for longer leases of all groups."""


class SwitchedTpgs:
    """The TPGs of floating groups, enabled and disabled by a process of their own."""

    def __init__(self, process: SwitchProcess) -> None:
        """Use `process`, which must be closed by the caller."""
        self._process = process

    def is_enabled(self, tpg: TpgId) -> bool:
        """Return whether LIO has the TPG enabled; a missing one is not. Raises TpgError."""
        return self._ask(SwitchAction.READ, tpg)

    def enable(self, tpg: TpgId, port_id: int) -> None:
        """Enable the TPG with this relative target port id. Raises TpgError."""
        self._ask(SwitchAction.ENABLE, tpg, port_id)

    def disable(self, tpg: TpgId) -> None:
        """Disable the TPG, which waits for its commands. Raises TpgError, as TpgStuckError."""
        self._ask(SwitchAction.DISABLE, tpg)

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _ask(self, action: SwitchAction, tpg: TpgId, port_id: int = 0) -> bool:
        try:
            return self._process.ask(action, tpg.target, tpg.tag, port_id)
        except SwitchForeignError:
            raise ForeignTpgError(
                f"another tool serves {tpg.target} on this node, so the group's addresses are left alone: "
                "take the target over with 'lunmapd adopt', or remove it with that tool"
            ) from None
        except SwitchRefusedError as error:
            raise TpgError(f"could not {action} TPG {tpg.tag} of {tpg.target}: {error}") from None
        except SwitchLateError as error:
            raise TpgStuckError(f"{action} TPG {tpg.tag} of {tpg.target}: {error}") from None


@contextmanager
def followed_groups(
    session: Session, me: Identity, directory: Path, changed: Callable[[], None]
) -> Iterator[GroupThreads]:
    """Yield the floating groups of this node. Without any, no process and no thread is started.

    `directory` is that of the state. `changed` is called when an owner changed. At the end the groups
    are released if the service is stopped; with a restart they stay, by a longer lease.
    """
    switch = SwitchProcess()
    tpgs, addresses = SwitchedTpgs(switch), LeaseProcess(directory / LOCK_FILE)
    quiet = session.quiet(_REQUEST)

    def make(group: GroupId, wake: Callable[[], None]) -> Edges:
        store = StoredGroup(quiet, group, me.node, wake)
        name = " ".join(group)
        if takeover_nodes(group):
            return Edges(store, Hooked(LunStates(switch, name), switch, name), NoTpg(), boot_time)
        return Edges(store, Hooked(addresses, switch, name), tpgs, boot_time)

    groups = GroupThreads(me, make, changed, UnexpectedLog().record)
    try:
        yield groups
    finally:
        if groups.owns_any:
            _end(groups, job_type())
        groups.stop()
        addresses.close()
        tpgs.close()


def _end(groups: GroupThreads, job: str) -> None:
    if job == "stop":
        groups.release(_RELEASE)
    elif job == "restart":
        groups.outlast_restart(_PROLONG)


def job_type() -> str:
    """Return the type of systemd's job for the service, "" for none.

    It is `stop` while systemd stops the service, at a shutdown too, and `restart` while a restart stops it.
    `systemctl list-jobs` prints `JOB UNIT TYPE STATE`.
    """
    command = ("systemctl", "list-jobs", "--no-legend", "--plain")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    jobs = (line.split() for line in done.stdout.splitlines())
    return next((job[2] for job in jobs if job[1:2] == ["lunmapd.service"] and job[2:]), "")
