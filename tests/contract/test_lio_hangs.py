"""Calls that hang in a real kernel because a device's I/O hangs: their cost, and the work that goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract import maps
from contract.implementations import RealImplementation
from contract.maps import CLAIMS, IQN, TAG, converge, log_out
from contract.portals import check
from lab import Initiator, Machine, wait_for
from lab.wait import PATIENCE
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import AclLuns, HostCommands
from lunmapd.lio.worker import wire

pytestmark = pytest.mark.kernel

OTHER_HOST = "iqn.2020-01.org.example:other"
OTHER = f"{IQN}-2"
SLOW = (maps.block("slow", maps.SLOW), maps.lun("slow"), maps.mapped("slow", 0))
NEW = (maps.storage_object("new"), maps.lun("new"))
LUN, ACL, TPG, ENABLED = (
    lio_objects.show_key(lio_objects.key_of(item)) for item in (SLOW[1], maps.ACL, maps.TPG, maps.ENABLED)
)


@pytest.fixture
def hanging(pair: tuple[Machine, Initiator], real: RealImplementation) -> Iterator["Hang"]:
    """Give a node that serves a LUN whose device is suspended while the initiator reads from it."""
    node, initiator = pair
    for path in ("/srv/new", "/srv/b"):
        real.file(path, maps.SIZE)
    converge(real, maps.served(node.address, *SLOW))
    real.kernel.close()
    initiator.discover(node.address)
    initiator.login(IQN)
    _hang_io(node, initiator)
    yield Hang(node, initiator)
    node.run("dmsetup resume slow")
    log_out(node, initiator)


class Hang:
    """The node and the initiator of a test."""

    def __init__(self, node: Machine, initiator: Initiator) -> None:
        """Take them; `run` does the rest."""
        self.node, self.initiator = node, initiator

    def other(self) -> tuple[lio_objects.DesiredObject, ...]:
        """Return another target on the same portal, with a LUN of its own for the same initiator."""
        tpg = (
            lio_objects.Tpg(OTHER, TAG, maps.TPG.attributes, maps.TPG.parameters),
            lio_objects.Enabled(OTHER, TAG, TAG + 1),
        )
        lun = (maps.storage_object("b"), lio_objects.TpgLun(OTHER, TAG, "b"))
        acl = (
            lio_objects.NodeAcl(OTHER, TAG, maps.HOST),
            lio_objects.MappedLun(OTHER, TAG, maps.HOST, 0, "b", write_protect=False),
        )
        return (
            lio_objects.Target(OTHER),
            *tpg,
            *lun,
            *acl,
            lio_objects.Portal(OTHER, TAG, f"{self.node.address}:3260"),
        )

    def run(self, *states: dict[lio_objects.Key, lio_objects.DesiredObject]) -> list[dict[str, Any]]:
        """Apply each state: two passes during the hang, a login to the other target, then more passes."""
        script = Path(__file__).with_name("hang_guest.py").read_text(encoding="utf-8")
        self.node.put("/run/hang.py", script)
        self.node.put("/run/desired", msgspec.json.encode([_seen(state) for state in states]))
        self.node.run("rm -f /run/go")
        guest = self.node.spawn("python3 -W ignore /run/hang.py /run/desired /run/go")
        wait_for(
            "two passes",
            guest.output,
            lambda text: text.count("\n") == 1 or guest.poll() is not None,
            2 * PATIENCE,
        )
        if lio_objects.key_of(lio_objects.Enabled(OTHER, TAG, TAG + 1)) in states[-1]:
            self._use_other()
        self.node.run("touch /run/go")
        done = guest.wait(4 * PATIENCE)
        assert done.status == 0, done
        passes, end = map(json.loads, done.stdout.splitlines())
        return [*passes, end]

    def _use_other(self) -> None:
        self.initiator.discover(self.node.address)
        self.initiator.login(OTHER)
        disk = f"/dev/disk/by-path/ip-{self.node.address}:3260-iscsi-{OTHER}-lun-0"
        wait_for(
            "a read from the other target",
            lambda: (
                self.initiator.machine.run(
                    f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct", check=False
                ).status
            ),
            lambda status: status == 0,
        )


def _seen(state: dict[lio_objects.Key, lio_objects.DesiredObject]) -> wire.ObservedAnswer:
    return wire.ObservedAnswer(tuple(state.values()), (), (), ())


def _hang_io(node: Machine, initiator: Initiator) -> None:
    """Suspend the device and let the initiator read from it, without trying to mend what takes long."""
    disk = f"/dev/disk/by-path/ip-{node.address}:3260-iscsi-{IQN}-lun-0"

    def flying() -> str:
        return initiator.machine.run(
            f"cat /sys/block/$(basename $(readlink -f {disk}))/inflight || true"
        ).stdout

    wait_for("a quiet disk", flying, lambda text: text.split() == ["0", "0"])
    initiator.machine.run(f"echo 600 >/sys/block/$(basename $(readlink -f {disk}))/device/timeout")
    node.run("dmsetup suspend --noflush slow")
    reading = f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct skip=9"
    initiator.machine.run(f"setsid {reading} </dev/null >/dev/null 2>&1 &")
    wait_for("I/O in flight", flying, lambda text: text.split() not in (["0", "0"], []))


def _reasons(found: dict[str, Any]) -> dict[str, str]:
    return {name: reason for name, (reason, _) in found["failures"].items()}


def test_commands_are_counted_and_seen_in_flight(real: RealImplementation, hanging: "Hang") -> None:
    """A drained node sees each command of a host to a LUN, and whether all are answered."""
    real.kernel.observe(CLAIMS)

    def count() -> HostCommands:
        (counted,) = real.kernel.count_commands([AclLuns(IQN, TAG, maps.HOST, (0, 7))])
        return counted

    waiting = count()
    assert ([number for number, _ in waiting.counts], waiting.in_flight) == ([0], True)
    hanging.node.run("dmsetup resume slow")
    answered = wait_for("the answer", count, lambda found: not found.in_flight)
    (disk,) = hanging.initiator.machine.run(f"ls /dev/disk/by-path/*{IQN}-lun-0").stdout.split()
    hanging.initiator.machine.run(f"dd if={disk} of=/dev/null bs=4k count=9 iflag=direct")
    assert count().counts[0][1] >= answered.counts[0][1] + 9


def test_a_lun_costs_itself_only(hanging: Hang) -> None:
    """The removal of a LUN waits in the kernel while another LUN is added, and ends after the hang."""
    first, second, end = hanging.run(maps.served(hanging.node.address, *NEW))
    for found in (first, second):
        assert _reasons(found) == {LUN: "Stuck", "storage_object slow": "Waiting"}
    assert "waits in" in first["failures"][LUN][1]
    assert second == {**first, "done": []}
    assert end == {"last": {}, "left": []}


def test_an_acl_costs_the_acls_of_its_tpg(hanging: Hang) -> None:
    """While an ACL's removal hangs, LUNs and another target on the same portal are still made and used.

    The kernel lists the ACLs of such a TPG to nobody.
    """
    fresh = lio_objects.NodeAcl(IQN, TAG, OTHER_HOST)
    desired = maps.served(hanging.node.address, *SLOW[:2], *NEW, fresh, *hanging.other())
    del desired[lio_objects.key_of(maps.ACL)]
    first, second, end = hanging.run(desired)
    for found in (first, second):
        assert _reasons(found) == {ACL: "Stuck", lio_objects.show_key(lio_objects.key_of(fresh)): "Stuck"}
    assert "core_tpg_del_initiator_node_acl" in first["failures"][ACL][1].partition("waits in")[2]
    assert second == {**first, "done": []}
    assert end == {"last": {}, "left": []}


def test_a_new_daemon_leaves_alone_what_it_can_not_read(hanging: Hang) -> None:
    """A worker started while an ACL's removal hangs leaves out that TPG after one hanging observation."""
    less = maps.served(hanging.node.address, *SLOW[:2])
    del less[lio_objects.key_of(maps.ACL)]
    more = less | maps.only(*NEW, *hanging.other())
    first, _, unread, third, end = hanging.run(less, more)
    assert _reasons(first) == {ACL: "Stuck"}
    assert _reasons(unread) == {"LIO": "Stuck"}
    assert f"reading LIO iscsi/{IQN}/tpgt_{TAG}:" in unread["failures"]["LIO"][1]
    waiting = {lio_objects.show_key(name): "Waiting" for name in more if name[1:3] == (IQN, TAG)}
    assert _reasons(third) == waiting | {TPG: "Stuck"}
    fresh = {
        f"create {lio_objects.show_key(lio_objects.key_of(item))}:" for item in (NEW[0], *hanging.other())
    }
    assert all(any(step.startswith(name) for step in third["done"]) for name in fresh), third
    assert end == {"last": {}, "left": []}


def test_a_tpg_costs_itself_only(hanging: Hang) -> None:
    """Disabling a TPG waits for its sessions' I/O and locks it.

    A target on the same portal can still change.
    """
    attributes = (*maps.TPG.attributes, ("login_timeout", "30"))
    tpg = lio_objects.Tpg(IQN, TAG, attributes, maps.TPG.parameters)
    desired = maps.served(hanging.node.address, *SLOW, tpg, *hanging.other())
    del desired[lio_objects.key_of(maps.ENABLED)]
    first, second, end = hanging.run(desired)
    for found in (first, second):
        assert _reasons(found) == {ENABLED: "Stuck", TPG: "Stuck"}
    assert "target_tpg_disable" in first["failures"][ENABLED][1].partition("waits in")[2]
    assert second == {**first, "done": []}
    assert end == {"last": {}, "left": []}


def test_a_login_that_hangs_costs_the_closing_of_other_tpgs(hanging: Hang, real: RealImplementation) -> None:
    """An initiator that logs in again during the hang blocks the portal.

    All other objects are still applied.
    """
    node, address = hanging.node, hanging.node.address
    other, third = hanging.other(), f"{IQN}-3"
    converge(real, maps.served(address, *SLOW, *other))
    real.kernel.close()
    _come_back(node, hanging.initiator)
    here, there = (lio_objects.Portal(third, TAG, f"{address}:{port}") for port in (3260, 3261))
    tpg = (
        lio_objects.Tpg(third, TAG, maps.TPG.attributes, maps.TPG.parameters),
        lio_objects.Enabled(third, TAG, TAG + 2),
    )
    desired = maps.served(address, *SLOW, *other, *NEW, lio_objects.Target(third), *tpg, here, there)
    closing = lio_objects.key_of(lio_objects.Enabled(OTHER, TAG, TAG + 1))
    del desired[closing]
    first, second, end = hanging.run(desired)
    for found in (first, second):
        assert _reasons(found) == {
            lio_objects.show_key(closing): "Stuck",
            lio_objects.show_key(lio_objects.key_of(here)): "PortalInUse",
        }
    assert (
        "iscsit_reset_np_thread"
        in first["failures"][lio_objects.show_key(closing)][1].partition("waits in")[2]
    )
    assert second["done"] == []
    assert end == {"last": {}, "left": []}


def test_a_login_thread_that_hangs_is_noticed(hanging: Hang) -> None:
    """A portal that accepts connections and answers no login has a problem, until the device answers."""
    node, portal = hanging.node, f"{hanging.node.address}:3260"
    assert check(node, portal) == {}
    _come_back(node, hanging.initiator)
    assert "answers no login within 1 s" in check(node, portal, seconds=1.0)[portal]
    node.run("dmsetup resume slow")
    wait_for("an answer", lambda: check(node, portal), lambda found: not found)


def _come_back(node: Machine, initiator: Initiator) -> None:
    """Let the initiator lose its connection and log in again, until that hangs in the kernel."""
    initiator.machine.cut()
    wait_for("a loss", initiator.sessions, lambda found: {each.state for each in found} != {"LOGGED_IN"})
    initiator.machine.heal()
    stack = "cat /proc/$(pgrep -x iscsi_np)/stack"
    wait_for("a login that hangs", lambda: node.run(stack).stdout, lambda text: "reinstatement" in text)
