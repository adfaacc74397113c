"""The networks of one lab, all in its own namespace.

`data` carries iSCSI and ZooKeeper and can be cut for each participant; `mgmt` carries the lab's own ssh and
is never cut. The host takes part in `data` through one veth pair, so that test code on the host reaches
machines and servers.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import CommandFailed, StartFailed
from lab.result import run

if TYPE_CHECKING:
    from lab.sandbox import Sandbox

_SPACE = ipaddress.IPv4Network("100.64.0.0/10")
_MGMT = ipaddress.IPv4Network("10.254.0.0/24")
_HOST_NUMBER = 254


@dataclass(frozen=True)
class Place:
    """A participant's place in the network: its numbers, addresses and the lab's end of its links."""

    number: int
    address: str
    address6: str
    mgmt_address: str

    @property
    def data_port(self) -> str:
        """The bridge's port of the data network."""
        return f"d{self.number}"

    @property
    def mgmt_port(self) -> str:
        """The bridge's port of the management network."""
        return f"m{self.number}"

    @property
    def data_mac(self) -> str:
        """The hardware address in the data network."""
        return f"02:00:00:00:00:{self.number:02x}"

    @property
    def mgmt_mac(self) -> str:
        """The hardware address in the management network."""
        return f"02:00:00:00:01:{self.number:02x}"


@dataclass
class Network:
    """The bridges of one lab; `index` picks its subnet and is unique on the host while the lab lives."""

    sandbox: Sandbox
    index: int = -1
    _cut: set[str] = field(default_factory=set)

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The data network, a /24 that nothing else on the host uses."""
        return ipaddress.IPv4Network((int(_SPACE.network_address) + (self.index << 8), 24))

    @property
    def subnet6(self) -> ipaddress.IPv6Network:
        """The data network's IPv6 side."""
        return ipaddress.IPv6Network(f"fd6c:756e:{self.index:x}::/64")

    @property
    def host_link(self) -> str:
        """The host's end of its cable to the data network."""
        return f"lunlab{self.index}"

    def place(self, number: int) -> Place:
        """Return the place of participant `number` (1 to 253)."""
        return Place(number, str(self.subnet[number]), str(self.subnet6[number]), str(_MGMT[number]))

    def start(self) -> None:
        """Make the bridges and the host's cable."""
        self._batch(
            "link set lo up",
            "link add data type bridge forward_delay 0 mcast_snooping 0",
            "link set data up",
            "link add mgmt type bridge forward_delay 0 mcast_snooping 0",
            "link set mgmt up",
            f"addr add {_MGMT[_HOST_NUMBER]}/24 dev mgmt",
        )
        self.index = self._plug_in_host()
        run(["ip", "addr", "add", f"{self.subnet[_HOST_NUMBER]}/24", "dev", self.host_link])
        run(["ip", "addr", "add", f"{self.subnet6[_HOST_NUMBER]}/64", "dev", self.host_link, "nodad"])
        run(["ip", "link", "set", self.host_link, "up"])
        self._batch("link set host master data up")

    def stop(self) -> None:
        """Pull the host's cable (the rest goes with the namespace, but that may take the kernel a moment)."""
        if self.index >= 0:
            links = json.loads(run(["ip", "-json", "link", "show"]).stdout)
            if any(link["ifname"] == self.host_link for link in links):
                _ignore_gone(["ip", "link", "delete", self.host_link])
            self.index = -1

    def add_taps(self, place: Place) -> None:
        """Plug a machine in; a tap that it had before is kept."""
        if place.data_port in self.ports():
            return
        self._batch(
            f"tuntap add dev {place.data_port} mode tap",
            f"tuntap add dev {place.mgmt_port} mode tap",
            f"link set {place.data_port} master data up",
            f"link set {place.mgmt_port} master mgmt up",
        )

    def add_namespace(self, place: Place, name: str) -> None:
        """Make a network namespace `name` (within the lab) that is plugged into the data network."""
        self._batch(
            f"netns add {name}",
            f"link add {place.data_port} type veth peer name data0 address {place.data_mac} netns {name}",
            f"link set {place.data_port} master data up",
            f"-n {name} link set lo up",
            f"-n {name} addr add {place.address}/24 dev data0",
            f"-n {name} addr add {place.address6}/64 dev data0 nodad",
            f"-n {name} link set data0 up",
        )

    def cut(self, place: Place) -> None:
        """Cut the data link: frames are lost, and no peer is notified."""
        self._batch(f"link set {place.data_port} nomaster")

    def heal(self, place: Place) -> None:
        """Plug the data cable in again."""
        self._batch(f"link set {place.data_port} master data")

    def ignore(self, name: str, place: Place) -> None:
        """Drop everything from namespace `name` to `place`; others notice nothing."""
        self._batch(f"-n {name} route add blackhole {place.address}/32")

    def heed(self, name: str, place: Place) -> None:
        """End what `ignore` did, if it was done."""
        self._batch(f"-n {name} route flush type blackhole {place.address}/32")

    def part(self, names: tuple[str, str], places: tuple[Place, Place]) -> None:
        """Let two namespaces no longer reach each other; all others still reach both."""
        for name, other in zip(names, reversed(places), strict=True):
            self._batch(f"-n {name} route replace blackhole {other.address}/32")

    def join(self, names: tuple[str, str], places: tuple[Place, Place]) -> None:
        """Undo `part`, if it was done."""
        for name, other in zip(names, reversed(places), strict=True):
            self._batch(f"-n {name} route flush type blackhole {other.address}/32")

    def ports(self) -> set[str]:
        """Return the names of all links in the lab's namespace."""
        return {link["ifname"] for link in json.loads(self.sandbox.run(["ip", "-json", "link"]).stdout)}

    def _batch(self, *lines: str) -> None:
        for line in lines:
            self.sandbox.run(["ip", *line.split()])

    def _plug_in_host(self) -> int:
        taken = _routed()
        for index in range(1 << 14):
            self.index = index
            if not any(self.subnet.overlaps(net) for net in taken) and self._add_host_link():
                return index
        raise StartFailed(f"no free /24 in {_SPACE}: too many labs? python -m lab reap --all")

    def _add_host_link(self) -> bool:
        """Claim the index by making its link, which fails if another lab has it."""
        peer = ["type", "veth", "peer", "name", "host", "netns", str(self.sandbox.pid)]
        try:
            run(["ip", "link", "add", self.host_link, *peer])
        except CommandFailed as err:
            if "File exists" in err.result.stderr:
                return False
            raise
        return True


def _routed() -> list[ipaddress.IPv4Network]:
    """Return the destinations within the lab's address space that this host already has routes to."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout or "[]")
    nets = [ipaddress.IPv4Network(r["dst"]) for r in routes if r["dst"] != "default"]
    return [net for net in nets if net.subnet_of(_SPACE)]


def _ignore_gone(argv: list[str]) -> None:
    try:
        run(argv)
    except CommandFailed as err:
        if "Cannot find device" not in err.result.stderr:
            raise
