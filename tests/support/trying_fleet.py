"""Three nodes on fake kernels that try revisions of a map."""

from pathlib import Path
from typing import TYPE_CHECKING

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.client import show_map
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Scope, Shared, Target
from support.agents import AgentFactory, H, T, applied, shown
from support.sessions import Connect

if TYPE_CHECKING:
    from lunmapd.agent.loop.agent import Agent

NODES = ("n1", "n2", "n3")
MINUTE = 60


def fleet_map(*numbers: int) -> Lunmap:
    """Make a map of three nodes that show host H the Luns l<number>."""
    shared = Shared(Scope.PER_NODE, Scope.PER_NODE)
    luns = {
        f"l{number}": Lun(
            Block(f"/dev/l{number}"), f"{number:04x}" * 8, maps=(Map(T, number, H),), shared=shared
        )
        for number in numbers
    }
    groups = {name: PortalGroup(index) for index, name in enumerate(NODES, 1)}
    nodes = {name: Node(index, (f"10.0.0.{index}:3260",)) for index, name in enumerate(NODES, 1)}
    return Lunmap(luns, {T: Target(groups)}, {H: Initiator()}, nodes=nodes)


class Fleet:
    """Three nodes on fake kernels, with one clock."""

    def __init__(self, connect: Connect, directory: Path, clock: Clock) -> None:
        self.agents: dict[str, Agent] = {}
        self.kernels: dict[str, FakeLio] = {}
        self._connect, self._clock = connect, clock
        for name in NODES:
            self.kernels[name] = FakeLio()
            self.restart(name, directory / name)

    def restart(self, name: str, place: Path) -> None:
        """Start the daemon of a node, with a state directory of its own and another session."""
        place.mkdir()
        factory = AgentFactory(self._connect(), self.kernels[name], place)
        self.agents[name] = factory(node=name, ids=MachineId(name, place.name), now=self._clock)

    def run(self, *names: str) -> None:
        """Run one cycle of each node."""
        for name in names or NODES:
            self.agents[name].run_cycle()

    def applied(self) -> tuple[int | None, ...]:
        """Return the revision that each node has applied."""
        return tuple(applied(agent) for agent in self.agents.values())

    def shown(self) -> tuple[set[str], ...]:
        """Return the Luns that each node shows the host."""
        return tuple(shown(kernel) for kernel in self.kernels.values())


def write_map(directory: Path, *numbers: int) -> str:
    """Write the map of fleet_map to a file; return its path."""
    path = directory / "map.yaml"
    path.write_text(show_map(fleet_map(*numbers)))
    return str(path)
