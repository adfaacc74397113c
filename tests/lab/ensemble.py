"""ZooKeeper servers of a lab, each a Java process in a network namespace of its own."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import StartFailed
from lab.result import text
from lab.wait import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.network import Network, Place
    from lab.sandbox import Process, Sandbox

PORT = 2181
_JVM = ("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData")
_CONFIG = {
    "tickTime": "500",
    "initLimit": "20",
    "syncLimit": "4",
    "minSessionTimeout": "1000",
    "maxSessionTimeout": "60000",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    "4lw.commands.whitelist": "*",
    "clientPort": str(PORT),
}


@dataclass
class Server:
    """One server; `directory` (on the host) holds its data, its configuration and its log."""

    number: int
    place: Place
    directory: Path
    inside: str
    sandbox: Sandbox
    network: Network
    jvm: Sequence[str]
    jars: str
    """The class path of ZooKeeper's jars."""
    _process: Process | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The server's name, also of its network namespace within the lab."""
        return f"zk{self.place.number}"

    @property
    def host(self) -> str:
        """The server's "ADDRESS:PORT" for clients."""
        return f"{self.place.address}:{PORT}"

    @property
    def log(self) -> Path:
        """The server's log, of all starts."""
        return self.directory / "server.log"

    def start(self) -> None:
        """Start the process; it serves once enough others run (see `Ensemble.wait`)."""
        main = ["org.apache.zookeeper.server.quorum.QuorumPeerMain", f"{self.inside}/zoo.cfg"]
        java = ["java", *_JVM, *self.jvm, "-cp", f"{self.inside}:{self.jars}", *main]
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "--"]
        self._process = self.sandbox.spawn(self.name, [*enter, *java], self.log)

    def running(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.running()

    def kill(self) -> None:
        """Kill the process without warning; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """Stop the process; its connections stay open and silent."""
        self._running().pause()

    def resume(self) -> None:
        """Let the process go on."""
        self._running().resume()

    def cut(self) -> None:
        """Pull the server's network cable."""
        self.network.cut(self.place)

    def heal(self) -> None:
        """Plug the cable in again."""
        self.network.heal(self.place)

    def ignore(self, place: Place) -> None:
        """Drop all packets from one participant, without an answer."""
        self.network.ignore(self.name, place)

    def heed(self, place: Place) -> None:
        """Answer it again."""
        self.network.heed(self.name, place)

    def part(self, other: Server) -> None:
        """Let this server and another no longer reach each other, while clients reach both."""
        self.network.part((self.name, other.name), (self.place, other.place))

    def join(self, other: Server) -> None:
        """Undo `part`."""
        self.network.join((self.name, other.name), (self.place, other.place))

    def mount(self, size: str) -> None:
        """Put the data, which are still empty, on a disk of their own that holds `size` (as for tmpfs)."""
        self._inside(
            f"mount -t tmpfs -o size={size} tmpfs {self._data}; echo {self.number} > {self._data}/myid"
        )

    def fill(self) -> None:
        """Fill the disk of the data to the last byte; only with `mount`, or it is the host's."""
        self._inside(f"mountpoint -q {self._data}; cat /dev/zero > {self._filler} 2>/dev/null || true")

    def free(self) -> None:
        """Give the space that `fill` took back."""
        self._inside(f"rm -f {self._filler}")

    def wipe(self) -> None:
        """Delete all data of the server, which must not run; it knows who it is and nothing else."""
        assert not self.running(), f"{self.name} still runs"
        self._inside(f"find {self._data} -mindepth 1 -not -name myid -delete")

    def ask(self, word: str, seconds: float = 3.0) -> str:
        """Return the answer to a four-letter word; an empty string if there is none."""
        try:
            with socket.create_connection((self.place.address, PORT), seconds) as connection:
                connection.settimeout(seconds)
                connection.sendall(word.encode())
                return text(b"".join(iter(lambda: connection.recv(65536), b"")))
        except OSError:
            return ""

    def mode(self) -> str:
        """Return "leader", "follower", "standalone", or "" if the server doesn't serve."""
        for line in self.ask("srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ")
        return ""

    @property
    def _data(self) -> str:
        return f"{self.inside}/data"

    @property
    def _filler(self) -> str:
        return f"{self._data}/filler"

    def _inside(self, script: str) -> None:
        self.sandbox.run(["sh", "-ec", script])

    def _running(self) -> Process:
        assert self._process is not None, f"{self.name} is not running"
        return self._process


@dataclass(frozen=True)
class Ensemble:
    """ZooKeeper servers that form one service."""

    servers: Sequence[Server]

    @property
    def hosts(self) -> str:
        """The connection string for clients, in machines and on the host."""
        return ",".join(server.host for server in self.servers)

    @property
    def leader(self) -> Server:
        """The server that leads (or the only one). Raises StartFailed if none does."""
        for server in self.servers:
            if server.mode() in ("leader", "standalone"):
                return server
        raise StartFailed("no server leads the ensemble; see " + ", ".join(str(s.log) for s in self.servers))

    @property
    def followers(self) -> list[Server]:
        """The servers that follow."""
        return [server for server in self.servers if server.mode() == "follower"]

    def start(self) -> None:
        """Start every server that doesn't run; return when all serve."""
        for server in self.servers:
            if not server.running():
                server.start()
        self.wait(len(self.servers))

    def renew(self) -> None:
        """Let every server lose its data and start again, with its network and disk repaired."""
        self.kill()
        for number, server in enumerate(self.servers):
            server.wipe()
            server.heal()
            for other in self.servers[:number]:
                server.join(other)
        self.start()

    def wait(self, serving: int = 1, seconds: float = PATIENCE) -> None:
        """Return when at least `serving` servers serve, one of them as leader. Raises StartFailed."""
        deadline = time.monotonic() + seconds
        while True:
            with ThreadPoolExecutor(len(self.servers)) as pool:
                modes = list(pool.map(Server.mode, self.servers))
            led = "leader" in modes or "standalone" in modes
            if led and sum(map(bool, modes)) >= serving:
                return
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {s.log}\n{text(s.log.read_bytes())[-1500:]}" for s in self.servers)
                raise StartFailed(
                    f"{serving} servers should serve within {seconds:g} s; modes: {modes}\n{logs}"
                )
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill all servers."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.kill, self.servers))


def write_config(server: Server, members: Sequence[Server], extra: Mapping[str, str]) -> None:
    """Write the configuration of one of `members`; `extra` adds settings or replaces them."""
    data = server.directory / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "myid").write_text(f"{server.number}\n")
    settings = {**_CONFIG, "dataDir": f"{server.inside}/data"}
    if len(members) > 1:
        settings |= {f"server.{m.number}": f"{m.place.address}:2888:3888" for m in members}
    settings |= extra
    (server.directory / "zoo.cfg").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
