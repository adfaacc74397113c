"""A node whose clock is set while it runs."""

import time

import pytest
from kazoo.client import KazooClient

from lab import Lab
from lab.wait import PATIENCE, wait_until
from support.cluster import SESSION_TIMEOUT, Ctl, StorageNode

pytestmark = pytest.mark.kernel


def test_a_clock_that_jumps_costs_no_session(lab: Lab) -> None:
    """Set back or ahead, the clock changes nothing: a node keeps its session and follows the map."""
    ensemble = lab.ensemble(1, start=False)
    node = StorageNode(lab.machine("n1", start=False))
    lab.start(ensemble, node.machine)
    ctl = Ctl(ensemble.hosts)
    ctl("init")
    node.configure(ensemble.hosts)
    node.start()
    nodes = f"nodes: {{n1: {{tpg_tag: 1, portals: [{node.machine.address}]}}}}\n"
    wait_until("the node is registered", lambda: ctl.status()["nodes"].get("n1", {}).get("alive"))
    ctl.apply(nodes)
    client = KazooClient(ensemble.hosts)
    client.start(PATIENCE)

    def owner() -> int | None:
        stat = client.exists("/lunmap/members/n1/live")
        return None if stat is None else stat.ephemeralOwner

    before = owner()
    for jump in ("1 hour", "1 hour ago"):
        node.machine.run(f"date -s '{jump}'")
        until = time.monotonic() + 2 * SESSION_TIMEOUT
        while time.monotonic() < until:
            assert owner() == before, jump
            time.sleep(0.2)
    ctl.apply(nodes + "initiators: {iqn.2026-01.org.example:h: {}}\n")
    client.stop()
    client.close()
