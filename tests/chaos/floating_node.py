"""A node of the campaign on floating addresses: all but its TPGs, which are in memory, is real.

`python -m chaos.floating_node HOSTS ROOT NODE LOCK` runs in the network namespace of the node until it is
killed.
"""

import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from lunmapd.agent.floating.group import Edges
from lunmapd.agent.floating.groups import GroupThreads
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.agent.floating.stored_group import StoredGroup
from lunmapd.agent.state.machine_id import read_machine_id
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import GroupId, TpgId
from lunmapd.core.placement.leased_groups import floating_groups
from lunmapd.service.lease.client import LeaseProcess
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree

SESSION_TIMEOUT = 4.0


class TpgsInMemory:
    """TPGs that are enabled and disabled at once, and all disabled at the start."""

    def __init__(self) -> None:
        self._enabled: set[TpgId] = set()

    def is_enabled(self, tpg: TpgId) -> bool:
        """Return whether the TPG is enabled."""
        return tpg in self._enabled

    def enable(self, tpg: TpgId, port_id: int) -> None:  # noqa: ARG002 - there is no port
        """Enable the TPG."""
        self._enabled.add(tpg)

    def disable(self, tpg: TpgId) -> None:
        """Disable the TPG."""
        self._enabled.discard(tpg)

    def close(self) -> None:
        """Do nothing."""


def main(hosts: str, root: str, node: str, lock: str) -> None:
    """Follow the groups of the map, as a node that is always fit."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with Session(hosts, root, timeout=SESSION_TIMEOUT) as session:
        quiet, tpgs, addresses = session.quiet(3.0), TpgsInMemory(), LeaseProcess(Path(lock))
        lunmap = read_tree(session).lunmap

        def make(group: GroupId, wake: Callable[[], None]) -> Edges:
            return Edges(StoredGroup(quiet, group, node, wake), addresses, tpgs, boot_time)

        groups = GroupThreads(Identity(node, read_machine_id().boot), make, lambda: None, logging.exception)
        groups.follow(lunmap)
        fit = Judgement(fit=True, served=1)
        groups.judge({GroupId(iqn, name): fit for iqn, name, _ in floating_groups(lunmap)})
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
