"""The pages "from targetcli" and "from Pacemaker", with the tools that they start from, under verified I/O.

`make test-migrations` runs this. It is in no layer: the resource agents are fetched from Debian.
"""

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab import Lab
from lab.build.apt import extract
from lab.machines.io import VerifiedIO
from lab.wait import wait_until
from lunmapd.client import parse_map
from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.base.names import naa
from support.cluster import HOST, Cluster, StorageNode, bring_up

pytestmark = pytest.mark.kernel

MIB = 1 << 20
IQN = "iqn.2026-01.org.example:old"
USER, WORD = "they", "their-own-word"
SERIAL = "3f1d6c1e-0001-4f0b-9f3e-7a51c2d40000"
OCF = "/usr/lib/ocf"
AGENTS = ("IPaddr2", "iSCSILogicalUnit", "iSCSITarget")
TARGET = {"iqn": IQN, "allowed_initiators": HOST, "incoming_username": USER, "incoming_password": WORD}
UNIT = {"target_iqn": IQN, "lun": "1", "path": "/dev/vg0/db1", "emulate_tpu": "1"}
_MADE = f"""
/backstores/block create name=vol dev=/dev/vg0/db1 wwn={SERIAL}
/iscsi create {IQN}
/iscsi/{IQN}/tpg1/luns create /backstores/block/vol lun=1
/iscsi/{IQN}/tpg1/acls create {HOST}
/iscsi/{IQN}/tpg1/portals delete 0.0.0.0 3260
/iscsi/{IQN}/tpg1/portals create ADDRESS
saveconfig /root/saved.json
exit
"""


def with_tools(lab: Lab, nodes: int) -> Cluster:
    """Give nodes on which targetcli can be used, and whose daemons run without a map."""
    found = bring_up(lab, nodes=nodes)
    for node in found.nodes:
        # targetcli asks for tcmu-runner there.
        node.machine.run("mkdir -p /run/dbus; dbus-daemon --system --fork")
    return found


def install_agents(node: StorageNode, unpacked: Path) -> None:
    """Copy the agents, and the shell functions that they share, to a node."""
    for place in ("resource.d/heartbeat", "lib/heartbeat"):
        node.machine.run(f"mkdir -p {OCF}/{place} /run/resource-agents")
        for file in sorted((unpacked / OCF.lstrip("/") / place).iterdir()):
            if file.is_file() and (place.startswith("lib") or file.name in AGENTS):
                node.machine.put(f"{OCF}/{place}/{file.name}", file.read_bytes(), mode=0o755)


def agent(node: StorageNode, kind: str, name: str, action: str, given: dict[str, str]) -> int:
    """Run an agent as Pacemaker does, and return its exit status."""
    keys = {f"OCF_RESKEY_{key}": value for key, value in given.items()}
    known = {"OCF_ROOT": OCF, "HA_RSCTMP": "/run/resource-agents", "OCF_RESOURCE_INSTANCE": name}
    words = [f"{key}={shlex.quote(value)}" for key, value in (known | keys).items()]
    command = f"env {' '.join(words)} {OCF}/resource.d/heartbeat/{kind} {action}"
    return node.machine.run(command, check=False, timeout=120).status


def crm(resources: dict[str, tuple[str, dict[str, str]]]) -> str:
    """Return the text of `crm configure show` for some resources."""
    lines = ["node 1: n1", "node 2: n2"]
    for name, (kind, given) in resources.items():
        words = " ".join(f'{key}="{value}"' for key, value in given.items())
        lines.append(
            f"primitive {name} ocf:heartbeat:{kind} \\\n\tparams {words} \\\n\top monitor interval=10s"
        )
    return "\n".join(lines) + "\n"


def plain(text: str) -> Any:
    """Return the parts of a map that each source of it has: no port ids, passwords and limits of devices."""
    lunmap, _ = parse_map(text)
    made = msgspec.to_builtins(lunmap)
    for lun in made["luns"].values():
        own = {name for (plugin, name), row in STORAGE.items() if plugin == "iblock" and row.default is None}
        lun["attributes"] = {name: value for name, value in lun["attributes"].items() if name not in own}
    for target in made["targets"].values():
        target["nodes"] = list(target["nodes"])
    for initiator in made["initiators"].values():
        initiator.get("chap", {}).pop("password", None)
    return made


def io_on(cluster: Cluster, device: str, operations: int = 50) -> VerifiedIO:
    """Start I/O on a device, and wait until it is under way."""
    io = cluster.initiator.verified_io(device, offset=MIB, rest=0.01)
    wait_until("the I/O is under way", lambda: io.progress.operations > operations)
    return io


def take_over(node: StorageNode) -> None:
    """Let a node adopt what runs, as the pages say."""
    assert "the plan is empty: 1 targets" in node.machine.run("lunmapd adopt --check").stdout
    node.stop()
    assert "no session was dropped" in node.machine.run("lunmapd adopt --take").stdout
    node.start()


def move(cluster: Cluster, node: StorageNode, wwid: str) -> None:
    """Replace targetcli's targets of a node by those of the map, as the page says."""
    node.machine.run("targetctl clear", timeout=120)
    node.start()
    cluster.paths(wwid)
    wait_until("all nodes are as the map says", cluster.all_well)


def test_the_resources_of_pacemaker_are_taken_over_under_io(lab: Lab, tmp_path: Path) -> None:
    """The agents' own layout is converted from the text of crm, and taken over; no session, no I/O notices.

    The converted map is that of `lunmapd adopt`, and the agents find their resources running afterwards.
    """
    cluster = with_tools(lab, 1)
    (node,) = cluster.nodes
    extract("resource-agents", tmp_path / "agents")
    install_agents(node, tmp_path / "agents")
    moving = f"{node.machine.address.rpartition('.')[0]}.199"
    more = {"implementation": "lio-t"}
    resources = {
        "ip1": ("IPaddr2", {"ip": moving, "cidr_netmask": "24"}),
        "t1": ("iSCSITarget", TARGET | more | {"portals": f"{moving}:3260"}),
        "lun1": ("iSCSILogicalUnit", UNIT | more),
    }
    for name, (kind, given) in resources.items():
        assert agent(node, kind, name, "start", given) == 0, (name, node.lio())
    cluster.initiator.discover(moving)
    cluster.initiator.chap(username=USER, password=WORD)
    cluster.initiator.login(IQN)
    key = tmp_path / "secrets.key"
    cluster.ctl("secret", "--key-file", str(key), "new-key")
    node.machine.put("/etc/lunmapd/secrets.key", key.read_text(), mode=0o600)
    sealed = ("--seal", "--key-file", str(key))
    words = ("--node", "n1", "--from", "pacemaker", "-")
    made = cluster.ctl("convert", *sealed, *words, stdin=crm(resources), expect=6)
    assert f"address {moving} moves between nodes" in made.err
    drafted = node.machine.run("lunmapd adopt").stdout
    assert plain(made.out) == plain(drafted)
    io = io_on(cluster, f"/dev/disk/by-path/ip-{moving}:3260-iscsi-{IQN}-lun-1")
    sessions = cluster.initiator.sessions()
    before = node.lio()
    cluster.ctl.apply(made.out, wait=None)
    cluster.ctl("rollback", "0", "--allow-empty")
    assert node.lio() == before
    # A commit gives no port id a second time, so the map names the one that LIO has.
    cluster.ctl.apply(made.out.replace("n1: {}", "n1: {port_id: 1}"), wait=None)
    take_over(node)
    wait_until("the node is as the map says", cluster.all_well)
    assert node.lio() == before
    for name, (kind, given) in resources.items():
        assert agent(node, kind, name, "monitor", given) == 0, name
    io.goes_on()
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert cluster.initiator.sessions() == sessions


def test_two_nodes_of_targetcli_move_one_after_the_other_under_io(lab: Lab, tmp_path: Path) -> None:
    """Both nodes have tag 1 and one volume; the first is taken over, the second made anew; no I/O fails."""
    cluster = with_tools(lab, 2)
    first, second = cluster.nodes
    for node in cluster.nodes:
        node.machine.run("targetcli", input=_MADE.replace("ADDRESS", node.machine.address), timeout=120)
        cluster.initiator.discover(node.machine.address)
    cluster.initiator.login(IQN)
    wwid = f"3{naa(SERIAL)}"
    io = io_on(cluster, cluster.paths(wwid).device)
    saved, drafts = [], []
    for node in cluster.nodes:
        (tmp_path / f"{node.name}.json").write_bytes(node.machine.get("/root/saved.json"))
        saved.append(f"{node.name}={tmp_path / node.name}.json")
        (tmp_path / f"{node.name}.yaml").write_text(node.machine.run("lunmapd adopt").stdout)
        drafts.append(str(tmp_path / f"{node.name}.yaml"))
    made = cluster.ctl("convert", *drafts)
    assert plain(made.out) == plain(cluster.ctl("convert", *saved).out)
    assert "1. n1: take over its targets as they are (disruption: none)" in made.err
    assert "2. n2: make its targets anew (disruption: session-drop)" in made.err
    second.stop()
    cluster.ctl.apply(made.out, wait=None)
    take_over(first)
    wait_until("the first node is well", lambda: cluster.ctl.status()["nodes"]["n1"]["applied"] == 1)
    cluster.paths(wwid)
    move(cluster, second, wwid)
    # The way back, and forward again.
    second.stop()
    second.machine.run("targetctl clear; targetctl restore /root/saved.json", timeout=120)
    cluster.paths(wwid)
    move(cluster, second, wwid)
    io.goes_on()
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
