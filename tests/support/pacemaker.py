"""A cluster of Pacemaker and corosync on machines of the lab, without a service manager."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.build.root import root
from lab.lab import trial
from lab.machines import kernel
from lab.machines.uml import Uml
from lab.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab import Machine

SECONDS = 300.0
"""How long a change of the cluster may take: Python and targetcli are slow in an emulated machine."""
_START = """
mkdir -p /run/dbus /run/lock
test -e /run/dbus/pid || dbus-daemon --system --fork
setsid corosync -f >/tmp/corosync.log 2>&1 </dev/null &
for _ in $(seq 300); do corosync-quorumtool >/dev/null 2>&1 && break; sleep 0.1; done
setsid pacemakerd >/tmp/pacemakerd.log 2>&1 </dev/null &
"""
_NODE = " node {{\n  name: {name}\n  nodeid: {number}\n  ring0_addr: {address}\n }}\n"
PATIENT = 60_000
"""A token time-out in ms by which no machine that gets no processor for a while is excluded."""
_COROSYNC = """totem {{
 version: 2
 cluster_name: lab
 transport: udpu
 token: {token}
}}
quorum {{
 provider: corosync_votequorum
 two_node: 1
 wait_for_all: 0
}}
nodelist {{
{nodes}}}
"""
_STARTED = re.compile(r"\* (\S+)\s+\(\S+\):\s+Started (\S+)")


def with_peers() -> Uml:
    """Return the driver whose machines have Pacemaker, too (recipe/packages.peers)."""
    driver = kernel.driver(trial)
    assert isinstance(driver, Uml), "only User-Mode Linux can have another root"
    return replace(driver, root=root("peers"))


def start(machines: Sequence[Machine], token: int = PATIENT) -> None:
    """Start corosync and Pacemaker on two machines, and wait until both are members.

    A node that is silent is excluded after 2.2 times `token`, in ms: that and `consensus` (corosync.conf(5)).
    Nothing fences it here.
    """
    nodes = "".join(
        _NODE.format(name=each.name, number=number, address=each.address)
        for number, each in enumerate(machines, 1)
    )
    for machine in machines:
        machine.put("/etc/corosync/corosync.conf", _COROSYNC.format(nodes=nodes, token=token))
        machine.run(_START, timeout=SECONDS)
    online = f"Online: [ {' '.join(sorted(each.name for each in machines))} ]"
    wait_until("all are members", lambda: online in state(machines[0]), SECONDS)


def crm(machine: Machine, *words: str) -> None:
    """Run crm, and wait until the cluster has done what follows from it. Raises CommandFailed."""
    machine.run(["crm", "-F", *words], timeout=SECONDS)
    machine.run(f"crm_resource --wait --timeout={SECONDS:g}s", timeout=SECONDS)


def state(machine: Machine) -> str:
    """Return what `crm_mon` prints of the cluster."""
    return machine.run("crm_mon -1 2>&1", check=False, timeout=SECONDS).stdout


def started(machine: Machine) -> dict[str, str]:
    """Return the node of each resource that Pacemaker has started, by the name of the resource."""
    return dict(_STARTED.findall(state(machine)))
