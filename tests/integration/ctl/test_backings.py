"""What nodes have opened, as commits use it: paths that are one device, and devices that differ."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.loop.agent import Agent
from lunmapd.core.base.backing_reports import DeviceDescription
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, PortalGroup, Scope, Shared, Target
from lunmapd.core.map.mapfile import show_map
from lunmapd.core.node import lio_objects
from lunmapd.store.session.session import Session
from support.agents import MAP, A, AgentFactory, T, put_checked
from support.cluster import Ctl
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

LUN = replace(A, shared=Shared(Scope.OFF, Scope.OFF))
NAMES = ("/dev/dm-3", "/dev/mapper/vg0-a")


def of_two_nodes(lun: Lun) -> Lunmap:
    """Return a map of one Lun that two nodes report."""
    targets = {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})}
    nodes = {"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))}
    return Lunmap({"a": lun}, targets, MAP.initiators, nodes=nodes)


OLD = of_two_nodes(LUN)
NEW = of_two_nodes(replace(LUN, backing=Block("/dev/mapper/vg0-a")))


class Nodes:
    """Two nodes that serve OLD, each with its own knowledge of its device."""

    def __init__(self, session: Session, directory: Path) -> None:
        """Start both."""
        self.names: dict[str, tuple[str, ...]] = {"n1": NAMES, "n2": NAMES}
        self.kernels = {name: FakeLio() for name in self.names}
        self.agents = {name: self._agent(session, name, directory / name) for name in self.names}
        put_checked(session, OLD)
        self.run()

    def _agent(self, session: Session, name: str, directory: Path) -> Agent:
        directory.mkdir()
        self.kernels[name].devices["/dev/a"] = "253:3"

        def describe(_: str) -> DeviceDescription:
            return DeviceDescription({}, self.names[name])

        return AgentFactory(session, self.kernels[name], directory)(node=name, describe=describe)

    def run(self) -> None:
        """Let both run a cycle, and report what they have opened."""
        for agent in self.agents.values():
            agent.run_cycle()
            agent.tidy()


@pytest.fixture
def nodes(session: Session, tmp_path: Path) -> Nodes:
    """Return the two nodes."""
    return Nodes(session, tmp_path)


@pytest.fixture
def ctl(session: Session) -> Ctl:
    """Return lunmapctl for their tree."""
    return Ctl(session.hosts, session.root)


def test_another_name_of_the_opened_device_needs_no_permission(nodes: Nodes, ctl: Ctl) -> None:
    """Each node knows the new path as a name of what it has opened; then both open it under that name."""
    ctl("apply", "-f", "-", stdin=show_map(NEW))
    nodes.run()
    for kernel in nodes.kernels.values():
        item = kernel.objects["storage_object", "a"]
        assert isinstance(item, lio_objects.StorageObject)
        assert item.path == "/dev/mapper/vg0-a"


def test_a_refusal_says_what_each_node_knows(nodes: Nodes, ctl: Ctl, session: Session) -> None:
    """One node that knows no such name, or is dead, is enough; permission by name still works."""
    nodes.names["n2"] = ("/dev/dm-3",)
    nodes.agents["n2"].devices_changed()
    nodes.run()
    refused = ctl("apply", "-f", "-", stdin=show_map(NEW), expect=3).err
    assert "n1 knows /dev/mapper/vg0-a as another name of the opened device" in refused
    assert "n2 does not know /dev/mapper/vg0-a as a name of the opened device, only /dev/dm-3" in refused
    with PlainClient(session) as shell:
        shell.delete("members/n1/live")
    assert "n1 is not alive" in ctl("apply", "-f", "-", stdin=show_map(NEW), expect=3).err
    ctl("apply", "-f", "-", "--rebacking", "a", stdin=show_map(NEW))


def test_different_devices_by_overrides_are_warned_of(nodes: Nodes, ctl: Ctl) -> None:
    """A commit whose nodes have different paths is compared with what they report under them."""
    nodes.kernels["n2"].sizes["/dev/b"], nodes.kernels["n1"].sizes["/dev/a"] = 1 << 20, 1 << 21
    divided = of_two_nodes(replace(LUN, backing=Block("/dev/a", {"n2": "/dev/b"})))
    ctl("apply", "-f", "-", "--rebacking", "a", stdin=show_map(divided))
    nodes.run()
    again = replace(divided, luns={"a": replace(divided.luns["a"], attributes={"emulate_fua_write": 0})})
    warned = ctl("apply", "-n", "-f", "-", stdin=show_map(again)).err
    assert "warning: luns/a: its nodes have opened backings of different sizes" in warned


def test_a_grown_lun_shows_the_node_that_has_not_grown(nodes: Nodes, ctl: Ctl) -> None:
    """The size of a device needs no commit; with --wait all nodes must have the size that is given."""
    nodes.kernels["n1"].sizes["/dev/a"], nodes.kernels["n2"].sizes["/dev/a"] = 1 << 21, 1 << 20
    grow(nodes)
    answer = ctl("lun", "grow", "a")
    assert [line.split() for line in answer.out.splitlines()[2:5]] == [
        ["NODE", "SIZE"],
        ["n1", "2", "MiB"],
        ["n2", "1", "MiB"],
    ]
    assert "n2 has 1 MiB and not 2 MiB: grow the file or device there" in answer.out
    assert "multipathd resize map 3" in answer.out
    ctl("lun", "grow", "a", "2m")
    nodes.run()
    waited = ctl("lun", "grow", "a", "2m", "--wait", "0", expect=6)
    assert "within 0 seconds: n2; see 'lunmapctl status'" in waited.err
    nodes.kernels["n2"].sizes["/dev/a"] = 1 << 21
    grow(nodes)
    assert "nothing to change" in ctl("lun", "grow", "a", "2m", "--wait", "60").out
    assert "n1 has 2 MiB and not 4 MiB" in ctl("lun", "grow", "a", "4MiB").out
    ctl("lun", "set", "a", "size=2MiB", "--shrink", "a")
    nodes.run()
    assert "nothing to change" in ctl("lun", "grow", "a", "2MiB", "--wait", "60").out


def test_a_grown_device_has_its_own_size(nodes: Nodes, ctl: Ctl) -> None:
    """The wait ends when each node has more than the map, which gets the new size; it needs a former one."""
    kernels = nodes.kernels
    kernels["n1"].sizes["/dev/a"] = kernels["n2"].sizes["/dev/a"] = 1 << 21
    grow(nodes)
    assert "the map has no former one" in ctl("lun", "grow", "a", "--wait", "0", expect=2).err
    ctl("lun", "grow", "a", "2MiB")
    nodes.run()
    assert "n1 has 2 MiB, no more than before" in ctl("lun", "grow", "a", "--wait", "0", expect=6).err
    kernels["n1"].sizes["/dev/a"] = 1 << 22
    grow(nodes)
    assert "n2 has 2 MiB and not 4 MiB" in ctl("lun", "grow", "a", "--wait", "0", expect=6).err
    kernels["n2"].sizes["/dev/a"] = 1 << 22
    grow(nodes)
    assert "size: 2 MiB -> 4 MiB" in ctl("lun", "grow", "a", "--wait", "0", expect=6).out
    nodes.run()
    assert "nothing to change" in ctl("lun", "grow", "a", "4MiB", "--wait", "60").out


def grow(nodes: Nodes) -> None:
    """Let the nodes report their devices again."""
    for agent in nodes.agents.values():
        agent.devices_changed()
    nodes.run()
