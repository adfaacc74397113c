"""docs/recipes.md: each of its blocks, in their order, on nodes and hosts with real kernels."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lab import Machine
from lab.pytest_plugin import NewLab
from lab.wait import PATIENCE, wait_until
from lunmapd.client import Client
from lunmapd.core.base.names import naa
from support.cluster import DISKS, LOG, PID, Cluster, Ctl, StorageNode
from system.documented_host import CONF, DocumentedHost

pytestmark = pytest.mark.kernel

PAGE = Path("docs/recipes.md").read_text()
_SECTION = re.compile(r"^## (\d+)\. (.*)\n((?:.*\n)*?)(?=^## |\Z)", re.MULTILINE)
_BLOCK = re.compile(r"^```sh (.*?)(?: exit=(\d))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DB1 = "360014053f1d6c1e00014f0b9f3e7a51c"
WWIDS = {DB1: "db1", "360014053f1d6c1e00034f0b9f3e7a51c": "web3"}
"""The WWIDs that the page shows, and the Luns that have others in the lab."""
UNDER_IO = {11, 24}
"""The recipes during which host1 reads and writes db1: no block may fail, or be read back as another one."""
PATHS = {
    1: ("host1", {"db1": 2}),
    4: ("host2", {"db1": 2}),
    7: ("host1", {"db1": 2, "web1": 2, "web2": 2, "web3": 2}),
    8: ("host1", {"db1": 2, "web1": 2, "web2": 2}),
    11: ("host1", {"db1": 2, "web1": 2, "web2": 2}),
    12: ("host1", {"db1": 3, "web1": 3, "web2": 3}),
    13: ("host1", {"db1": 2, "web1": 2, "web2": 2}),
    24: ("host2", {"db1": 2, "web2": 2}),
}
"""A host, and its usable paths to each of its Luns, after a recipe."""
ANSWERS = {
    3: "committed revision",
    9: "lunmapctl map web1 host2",
    15: "unmap db1 host2",
    16: "data-unreachable: host1",
    22: "committed revision",
    23: "(?s)committed revision.*committed revision",
    24: "forgot n2",
    25: "gold +s2",
}
"""What a recipe prints, beside its exit status."""
KEY_FILE = "/etc/lunmapd/secrets.key"

# The devices of the page, 32 MiB and three of 16 MiB, as parts of the lab's disks.
_DEVICES = """\
modprobe dm_mod
export DM_DISABLE_UDEV=1
dmsetup create vg0-db1 --table '0 65536 linear /dev/disk/lab/db1 0'
for number in 1 2 3; do
  dmsetup create vg0-web$number --table "0 32768 linear /dev/disk/lab/db2 $((number * 32768 - 32768))"
done
cd /dev/vg0
for name in db1 web1 web2 web3; do ln -sf /dev/mapper/vg0-$name $name; done
"""
_LVEXTEND = """\
#!/bin/sh -e
# lvextend -L 48m vg0/db1
export DM_DISABLE_UDEV=1
test "$1" = -L; name=vg0-${3#vg0/}
dmsetup load $name --table "0 $((${2%m} * 2048)) linear /dev/disk/lab/${3#vg0/} 0"
dmsetup suspend $name; dmsetup resume $name
"""
_SYSTEMCTL = f"""\
#!/bin/sh
# systemctl enable --now | disable --now | restart lunmapd, systemctl restart iscsid
if [ "$2" = iscsid ]; then
  iscsiadm -k 0; iscsid; exit
fi
case $1 in disable | restart)
  pid=$(cat {PID}); kill $pid; while [ -d /proc/$pid ]; do sleep 0.05; done
esac
case $1 in enable | restart)
  setsid lunmapd >>{LOG} 2>&1 </dev/null & echo $! >{PID}
esac
"""
_SCP = """\
#!/bin/sh -e
# scp -p FILE root@HOST:DIRECTORY/ : the test copies the files of $OUTBOX to their machines.
to=$OUTBOX/${3#root@}; to=${to%%:*}${to#*:}
mkdir -p "$to"; cp -p "$2" "$to"
"""


@dataclass(frozen=True)
class Block:
    """Commands of the page: where they run, and their exit status."""

    where: tuple[str, ...]
    status: int
    commands: str


def sections() -> Iterator[tuple[int, str, tuple[Block, ...]]]:
    """Yield number, title and blocks of each recipe."""
    for number, title, text in _SECTION.findall(PAGE):
        blocks = (
            Block(tuple(where.split()), int(status or 0), commands)
            for where, status, commands in _BLOCK.findall(text)
        )
        yield int(number), title, tuple(blocks)


@dataclass(frozen=True)
class Desk:
    """The admin machine of the page, which is this one, with the machines of the lab."""

    cluster: Cluster
    hosts: dict[str, DocumentedHost]
    home: Path
    wwids: dict[str, str] = field(default_factory=dict)
    """The lab's WWIDs of Luns that there were."""

    def run(self, block: Block) -> str:
        """Run a block where it says, and return what it prints."""
        text, outputs = self._here(block.commands), list[str]()
        for where in block.where:
            for name in ("n1", "n2", "n3") if where == "nodes" else (where,):
                status, out = self._admin(text) if name == "admin" else self._machine(name, text)
                assert status == block.status, f"on {name}: {block.commands}\n{out}"
                outputs.append(out)
        return "".join(outputs)

    @contextmanager
    def io(self, *, is_on: bool) -> Iterator[None]:
        """Let host1 read and write db1 meanwhile."""
        if not is_on:
            yield
            return
        host = self.hosts["host1"]
        io = host.initiator.verified_io(host.device(self.wwids["db1"]), offset=0)
        yield
        final = io.stop()
        assert (final.errors, final.mismatches) == (0, 0)

    def await_paths(self, name: str, luns: dict[str, int]) -> None:
        """Wait until a host has these paths, and no others."""
        wanted = {self.wwids[lun]: count for lun, count in luns.items()}
        wait_until(f"{name} has {luns}", lambda: self.hosts[name].usable_paths() == wanted)

    def _here(self, text: str) -> str:
        """Return commands with the addresses and the WWIDs of this lab."""
        text = text.replace("10.0.1.", self.cluster.nodes[0].machine.address.removesuffix("1"))
        for wwid, name in WWIDS.items():
            text = text.replace(wwid, self.wwids.get(name, wwid))
        return text

    def note_wwids(self) -> None:
        """Note the WWIDs of the Luns that there are."""
        with Client.connect(self.cluster.ensemble.hosts) as client:
            luns = client.read().lunmap.luns
        self.wwids.update((name, f"3{naa(lun.serial)}") for name, lun in luns.items())

    def _admin(self, text: str) -> tuple[int, str]:
        environment = os.environ | {
            "PATH": f"{self.home}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LUNMAPCTL_HOSTS": self.cluster.ensemble.hosts,
            "LUNMAPCTL_KEY_FILE": str(self.home / "secrets.key"),
            "OUTBOX": str(self.home / "outbox"),
        }
        text = text.replace(f" {KEY_FILE}", f" {self.home}/secrets.key")
        done = subprocess.run(
            ["timeout", str(PATIENCE), "bash", "-ec", text],
            env=environment, cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        self._deliver()
        return done.returncode, done.stdout

    def _deliver(self) -> None:
        for file in (self.home / "outbox").glob("*/**/*"):
            if file.is_file():
                name, *path = file.relative_to(self.home / "outbox").parts
                self._machine_of(name).put(f"/{'/'.join(path)}", file.read_bytes(), mode=0o600)
                file.unlink()

    def _machine_of(self, name: str) -> Machine:
        if name in self.hosts:
            return self.hosts[name].machine
        return next(node.machine for node in self.cluster.nodes if node.name == name)

    def _machine(self, name: str, text: str) -> tuple[int, str]:
        done = self._machine_of(name).run(f"exec 2>&1; set -e\n{text}", check=False, timeout=PATIENCE)
        return done.status, done.stdout


@pytest.fixture
def desk(new_lab: NewLab, tmp_path: Path) -> Iterator[Desk]:
    """Give two nodes with lunmapd and a third one without, two hosts, and an empty map."""
    with new_lab() as lab:
        disks = [lab.disk(name) for name in DISKS]
        ensemble = lab.ensemble(start=False)
        machines = [lab.machine(f"n{number}", disks=disks, start=False) for number in (1, 2, 3)]
        initiators = [lab.initiator(name, start=False) for name in ("host1", "host2")]
        lab.start(ensemble, *machines, *initiators)
        nodes = tuple(map(StorageNode, machines))
        cluster = Cluster(lab, ensemble, nodes, initiators[0], Ctl(ensemble.hosts))
        cluster.ctl("init")
        for node in nodes:
            node.configure(ensemble.hosts)
            node.machine.run(_DEVICES)
            node.machine.put("/usr/local/bin/lvextend", _LVEXTEND, mode=0o755)
            node.machine.put("/usr/local/bin/systemctl", _SYSTEMCTL, mode=0o755)
        for node in nodes[:2]:
            node.start()
        two = replace(cluster, nodes=nodes[:2])
        two.await_live()
        hosts = {each.machine.name: DocumentedHost(replace(two, initiator=each)) for each in initiators}
        for host in hosts.values():
            host.configure(CONF)
            host.machine.put("/usr/local/bin/systemctl", _SYSTEMCTL, mode=0o755)
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/scp").write_text(_SCP)
        (tmp_path / "bin/scp").chmod(0o755)
        yield Desk(cluster, hosts, tmp_path)


def test_every_block_works_as_printed(desk: Desk) -> None:
    """In the order of the page, with the exit status that it names, and what the hosts see after it."""
    for number, title, blocks in sections():
        with desk.io(is_on=number in UNDER_IO):
            out = "".join(map(desk.run, blocks))
            assert re.search(ANSWERS.get(number, ""), out), f"{title}:\n{out}"
            desk.note_wwids()
            if number in PATHS:
                desk.await_paths(*PATHS[number])
