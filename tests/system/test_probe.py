"""`lunmapctl probe` against real kernels: it sees what an initiator would, and every way that it differs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lab.wait import wait_for, wait_until
from lunmapd.service.ctl.cli import ctl
from support.cluster import PID, SAN, Cluster, StorageNode

pytestmark = pytest.mark.kernel

PROBE = "iqn.2026-01.org.example:probe"
SCRATCH = "iqn.2026-01.org.example:scratch"
DB1, SERIAL = "60014053f1d6c1e00014f0b9f3e7a51c", "3f1d6c1e00014f0b9f3e7a51c2d40000"
MAP = f"""
luns:
  db1:
    serial: {SERIAL}
    backing: {{type: block, path: /dev/vg0/db1}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 1, group: hosts}}]
  vol:
    serial: 3f1d6c1e00024f0b9f3e7a51c2d40000
    size: 64MiB
    backing: {{type: block, path: /dev/mapper/vol}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 2, group: hosts}}]
  scratch:
    serial: 3f1d6c1e00034f0b9f3e7a51c2d40000
    size: 64MiB
    backing: {{type: fileio, path: /srv/scratch.img}}
    maps: [{{target: "{SCRATCH}", lun: 1, group: hosts}}]
targets:
  {SAN}: {{nodes: [n1, n2], authentication: mutual-chap}}
  {SCRATCH}: {{nodes: [n1]}}
groups:
  hosts: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: [ADDRESS1]}}
  n2: {{tpg_tag: 2, portals: [ADDRESS2]}}
"""
VOLUME = 'modprobe dm_mod; DM_DISABLE_UDEV=1 dmsetup create vol --table "0 131072 linear /dev/vg0/db2 0"'
RELOAD = "DM_DISABLE_UDEV=1 dmsetup suspend vol && dmsetup reload vol --table '0 {} linear /dev/vg0/db2 0' && dmsetup resume vol"
DYING = """
import os, signal, sys, time
from pathlib import Path
from lunmapd.core.base.lunmap import Authentication, Chap, Initiator
from lunmapd.initiator.connection import PortalConnection
from lunmapd.initiator.libiscsi import load
from lunmapd.service.ctl.probe_access import read_access

chap = Initiator("", Chap("probe"), Chap("target"))
access = read_access(Path(sys.argv[1])).as_in_map(chap).reduced(Authentication.MUTUAL_CHAP)
connection = PortalConnection(load(), access, lambda: 10)
connection.connect(sys.argv[2])
connection.log_in(sys.argv[3])
print("in", flush=True)
time.sleep(600)
"""
"""A probe that is killed in its session."""


class Desk:
    """lunmapctl with the access file of a probe."""

    def __init__(self, cluster: Cluster, at: Path) -> None:
        self.cluster, self.ctl = cluster, cluster.ctl
        self.access, self.keys = at / "probe.yaml", at / "secrets.key"
        self.text = self.applied = ""

    def run(self, *args: str) -> Result:
        """Run a probe within this process: a new interpreter for each takes longer than the probe."""
        where = ("--hosts", self.cluster.ensemble.hosts, "probe", "--access", str(self.access))
        return CliRunner().invoke(ctl, [*where, *args])

    def plugin(self, *args: str) -> int:
        """Return the exit code of the plugin."""
        return self.run("-o", "plugin", *args).exit_code

    def probe(self, *args: str) -> dict[str, Any]:
        """Return the JSON of a probe, with its exit code."""
        told = self.run("-o", "json", *args)
        found: dict[str, Any] = json.loads(told.stdout)
        return found | {"status": told.exit_code}

    def read(self, *args: str) -> dict[str, Any]:
        """Return the JSON of a probe that reads blocks, made as soon as no node lists a session of the probe.

        A status may list none because it is older than the session of the last probe. So a refusal to read
        is followed by another probe.
        """
        return wait_for("the probe reads", partial(self._read_without_session, *args), _is_probed)

    def _read_without_session(self, *args: str) -> dict[str, Any]:
        listed = "the nodes list no session"
        wait_until(listed, lambda: not any(node["sessions"] for node in self.ctl.status()["nodes"].values()))
        return self.probe("--read", *args)

    def findings(self, *args: str) -> set[tuple[str, str, str]]:
        """Return node, Lun and reason of the findings of a probe; its exit code agrees with them."""
        return findings(self.probe(*args))

    def apply(self, old: str = "", new: str = "") -> None:
        """Apply the map with a change, unless that is what was applied last."""
        text = self.text.replace(old, new, 1)
        if text != self.applied:
            self.ctl.apply(text)
        self.applied = text


def findings(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return node, Lun and reason of the findings in the JSON of a probe; its exit code agrees with them."""
    assert found["status"] == (6 if found["findings"] else 0)
    return {(item["node"], item["lun"], item["reason"]) for item in found["findings"]}


def _is_probed(found: dict[str, Any]) -> bool:
    return all(reason != "NotProbed" for _, _, reason in findings(found))


@pytest.fixture(scope="module")
def module_desk(two_nodes: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Give both nodes with the map and the key, a probe of three Luns, and a target that asks for CHAP."""
    desk = Desk(two_nodes, tmp_path_factory.mktemp("probe"))
    text = two_nodes.filled(MAP)
    secret = ("secret", "--key-file", str(desk.keys))
    desk.ctl(*secret, "new-key")
    for node in two_nodes.nodes:
        node.machine.put("/etc/lunmapd/secrets.key", desk.keys.read_text(), mode=0o600)
        node.machine.run(f"{VOLUME}; kill -HUP $(cat {PID})")
    desk.ctl.apply(text, wait=None)
    wait_until("the nodes have the key", lambda: len(_nodes_with_key(desk)) == len(two_nodes.nodes))
    desk.ctl(
        "probe-setup",
        PROBE,
        "db1",
        "vol",
        "scratch",
        "--access",
        str(desk.access),
        "--key-file",
        str(desk.keys),
    )
    desk.text = desk.applied = desk.ctl("get").out
    return desk


def _nodes_with_key(desk: Desk) -> list[str]:
    told = desk.ctl("secret", "--key-file", str(desk.keys), "list", "-o", "json").out
    (key,) = json.loads(told)["keys"]
    nodes: list[str] = key["nodes"]
    return nodes


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    """Give both nodes as the map says, and a probe without findings."""
    module_desk.apply()
    wait_until("the probe finds nothing", lambda: module_desk.findings() == set())
    yield module_desk
    alive = [node for node in module_desk.cluster.nodes if node.machine.running()]
    wait_until("the probes' sessions are closed", lambda: not any(node.has_sessions() for node in alive))


def test_all_is_as_the_map_promises(desk: Desk) -> None:
    """Every path is seen with the map's identity, size, ALUA state and access, also with another libiscsi."""
    paths = {(path["lun"], path["node"]): path for path in desk.read()["paths"]}
    assert {
        place: (path["serves"], path["read"], path["read_only"]) for place, path in paths.items()
    } == dict.fromkeys(
        (("db1", "n1"), ("db1", "n2"), ("vol", "n1"), ("vol", "n2"), ("scratch", "n1")), (True, True, True)
    )
    seen = paths["db1", "n2"]
    assert (seen["serial"], seen["naa"], seen["vendor"], seen["product"]) == (
        SERIAL,
        [DB1],
        "LIO-ORG",
        "IBLOCK",
    )
    assert (seen["size"], seen["block_size"], seen["alua"], seen["port_group"]) == (
        64 << 20,
        512,
        "optimized",
        2,
    )
    assert paths["scratch", "n1"]["port_group"] == 0
    assert desk.plugin("db1", "--node", "n2") == 0
    host = desk.cluster.initiator.machine
    host.put("/etc/lunmapd/probe.yaml", desk.access.read_text(), mode=0o600)
    told = host.run(f"lunmapctl --hosts {desk.cluster.ensemble.hosts} probe -o plugin").stdout
    assert (
        "| portals=2 portals_answering=2 luns=3 luns_without_path=0 paths=5 paths_serving=5 findings=0"
        in told
    )


def test_without_the_password(desk: Desk) -> None:
    """A wrong password is refused by the portals that ask for it, and the right one is told nowhere."""
    right = desk.access.read_text()
    words = [line.partition(": ")[2] for line in right.splitlines() if "password" in line]
    desk.access.write_text(right.replace(words[0], "not the password"))
    try:
        assert desk.findings() == {("n1", "", "LoginRefused"), ("n2", "", "LoginRefused")}
        assert desk.plugin() == 2
    finally:
        desk.access.write_text(right)
    said = desk.ctl("get").out + str(desk.ctl.status()) + "".join(node.log() for node in desk.cluster.nodes)
    assert all(word not in said for word in words)


def test_a_killed_probe_leaves_no_session(desk: Desk) -> None:
    """Its session ends with its connection."""
    node = desk.cluster.nodes[0]
    argv = [sys.executable, "-c", DYING, str(desk.access), f"{node.machine.address}:3260", SAN]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "in\n"
        assert node.has_sessions()
        os.kill(dying.pid, signal.SIGKILL)
    wait_until("the session is closed", lambda: not node.has_sessions())


def test_closed_paths_are_as_promised(desk: Desk) -> None:
    """Standby and unavailable paths, and a drained node, are what the map says: nothing is found."""
    backing = "  db1:\n"
    for others in ("standby", "unavailable"):
        desk.apply(backing, f"{backing}    preferred: n1\n    others: {others}\n")
        found = desk.probe("db1")
        assert (found["findings"], found["luns"]) == (
            [],
            [{"lun": "db1", "serving": 1, "intended": 1, "unknown": 0}],
        )
        assert {path["node"]: (path["alua"], path["preferred"]) for path in found["paths"]} == {
            "n1": ("optimized", True),
            "n2": (others, False),
        }
    desk.apply("    tpg_tag: 2\n", "    tpg_tag: 2\n    state: drained\n")
    found = desk.probe()
    assert found["findings"] == []
    assert {path["node"] for path in found["paths"] if path["serves"]} == {"n1"}


def test_a_node_that_differs_from_the_map(desk: Desk) -> None:
    """A LUN that is not there, one that could be written, a closed TPG and a portal that is down are found.

    Each is over when the node's daemon has repaired it.
    """
    node = desk.cluster.nodes[1]
    node.stop()
    tpg = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_2"
    node.machine.run(f"cd {tpg}/acls/{PROBE}; rm lun_1/lunmapd; rmdir lun_1; echo 0 >lun_2/write_protect")
    assert desk.findings() == {("n2", "db1", "LunMissing"), ("n2", "vol", "Writable")}
    assert desk.plugin() == 1
    assert desk.plugin("db1", "--node", "n2") == 2
    node.machine.run(f"echo 0 >{tpg}/enable")
    assert desk.findings() == {("n2", "", "NotListed"), ("n2", "", "LoginRefused")}
    node.machine.run(f"rmdir {tpg}/np/*")
    (found,) = desk.probe()["findings"]
    assert (found["node"], found["reason"], found["message"]) == (
        "n2",
        "PortalUnreachable",
        "connection refused",
    )
    node.start()
    wait_until("the probe finds nothing", lambda: desk.findings() == set())


def test_a_device_that_differs_or_hangs(desk: Desk) -> None:
    """Another size is found on its path, and a device that hangs by --read, which is not repeated then."""
    node = desk.cluster.nodes[1]
    node.machine.run(RELOAD.format(65536))
    assert desk.findings("vol") == {("n2", "vol", "SizeDiffers"), ("", "vol", "PathsDiffer")}
    node.machine.run(RELOAD.format(131072))
    assert desk.findings("vol") == set()
    node.machine.run("dmsetup suspend --noflush vol")
    assert desk.findings("vol") == set()
    assert findings(desk.read("vol", "--timeout", "5")) == {("n2", "vol", "ReadFailed")}
    node.stop()
    node.start()  # its first pass is a full one
    wait_until("the node reports the session", lambda: _reports_session(desk, node))
    assert desk.findings("vol", "--read") == {("n2", "", "NotProbed")}
    node.machine.run("dmsetup resume vol")
    wait_until("the session is closed", lambda: not node.has_sessions())


def _reports_session(desk: Desk, node: StorageNode) -> bool:
    return bool(desk.ctl.status()["nodes"][node.name]["sessions"])


def test_a_dead_node(desk: Desk) -> None:
    """Its portal is unreachable: a warning while another path serves, critical for its own Luns."""
    desk.cluster.nodes[1].machine.kill()
    found = desk.probe("--timeout", "3")
    assert [(item["node"], item["reason"]) for item in found["findings"]] == [("n2", "PortalUnreachable")]
    assert {lun["lun"]: (lun["serving"], lun["intended"]) for lun in found["luns"]} == {
        "db1": (1, 2),
        "vol": (1, 2),
        "scratch": (1, 1),
    }
    assert desk.plugin("--timeout", "3", "--node", "n2") == 2
