"""A target that was made with targetcli becomes lunmapd's, under an initiator's I/O."""

from pathlib import Path

import pytest
import yaml

from lab import Lab
from lab.machines.io import VerifiedIO
from lab.wait import wait_until
from lunmapd.client import Lunmap, parse_map
from support.cluster import HOST, Cluster, StorageNode, bring_up

pytestmark = pytest.mark.kernel

MIB = 1 << 20
LINKS = "/etc/systemd/system"
UNIT = "rtslib-fb-targetctl.service"
OLD = "iqn.2003-01.org.linux-iscsi.old:san"
STRANGE = "iqn.2003-01.org.linux-iscsi.old:strange"
GATEWAY = "10.0.0.2"
CONFIGFS = "/sys/kernel/config/target"
# As an admin and ceph-iscsi would: demo mode, a TPG for another gateway, and a target with a write-back
# cache, which can't be taken over.
_MADE = f"""
set global auto_add_default_portal=false
/backstores/block create name=vol dev=/dev/disk/lab/db2
/backstores/fileio create name=logs file_or_dev=/srv/logs.img size=64M write_back=false
/backstores/fileio create name=cached file_or_dev=/srv/cached.img size=64M
/iscsi create {OLD}
/iscsi/{OLD}/tpg1/portals create ADDRESS
/iscsi/{OLD}/tpg1/luns create /backstores/block/vol
/iscsi/{OLD}/tpg1/luns create /backstores/fileio/logs lun=5
/iscsi/{OLD}/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0
/iscsi/{OLD} create 2
/iscsi/{OLD}/tpg2 disable
/iscsi/{OLD}/tpg2/portals create {GATEWAY}
/iscsi/{OLD}/tpg2/luns create /backstores/block/vol
/iscsi/{OLD}/tpg2 set attribute tpg_enabled_sendtargets=0
/iscsi create {STRANGE}
/iscsi/{STRANGE}/tpg1/portals create ADDRESS
/iscsi/{STRANGE}/tpg1/luns create /backstores/fileio/cached
/iscsi/{STRANGE}/tpg1/acls create {HOST}
exit
"""
_REPAIRED = f"""
/iscsi/{OLD}/tpg1/acls create {HOST}
/iscsi/{OLD}/tpg1 set attribute generate_node_acls=0
exit
"""

ONE, TWO = "iqn.2003-01.org.linux-iscsi.old:one", "iqn.2003-01.org.linux-iscsi.old:two"
KILLED = 128 + 9
USER, WORD = "they", "their-own-word"
_WITH_CHAP = "".join(
    f"""
/backstores/fileio create name={name} file_or_dev=/srv/{name}.img size=64M write_back=false
/iscsi create {iqn}
/iscsi/{iqn}/tpg1/luns create /backstores/fileio/{name}
/iscsi/{iqn}/tpg1/acls create {HOST}
/iscsi/{iqn}/tpg1/acls/{HOST} set auth userid={USER} password={WORD}
/iscsi/{iqn}/tpg1 set attribute authentication=1
"""
    for name, iqn in (("first", ONE), ("second", TWO))
)


@pytest.fixture
def targetcli_cluster(lab: Lab) -> Cluster:
    """Give a node on which targetcli can be used, and its daemon runs without a map."""
    found = bring_up(lab, nodes=1)
    # targetcli asks for tcmu-runner there.
    found.nodes[0].machine.run("mkdir -p /run/dbus; dbus-daemon --system --fork")
    return found


def test_a_target_of_another_tool_is_taken_over_under_io(targetcli_cluster: Cluster) -> None:
    """Demo mode ends, the printed map is committed with the other gateway, and it is taken over.

    No session and no I/O notices.
    """
    (node,) = targetcli_cluster.nodes
    node.machine.run("truncate -s 64M /srv/logs.img")
    _make(node)
    targetcli_cluster.initiator.discover(node.machine.address)
    targetcli_cluster.initiator.machine.run(f"iscsiadm -m node -T {OLD} -p {GATEWAY}:3260 -o delete")
    targetcli_cluster.initiator.login(OLD)
    io = started_io(targetcli_cluster, OLD)
    sessions = targetcli_cluster.initiator.sessions()
    _repair(node)
    theirs = [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line]
    drafted = node.machine.run("lunmapd adopt").stdout
    assert f"its disabled TPG 2 ({GATEWAY}:3260) shows another gateway" in drafted
    assert f"# not taken over: {STRANGE}: cached: it was opened with a write-back cache" in drafted
    assert node.machine.run("lunmapd adopt --check", check=False).stdout.startswith("the plan is empty: 0")
    targetcli_cluster.ctl.apply(drafted, wait=None)
    blocked = node.machine.run("lunmapd adopt --check", check=False)
    assert (blocked.status, f"differs: delete tpg {OLD} 2" in blocked.stdout) == (6, True)
    targetcli_cluster.ctl.apply(_with_gateway(drafted), wait=None)
    before = _own_part(node)
    checked = node.machine.run("lunmapd adopt --check").stdout
    assert "the plan is empty: 1 targets" in checked
    assert node.machine.run("lunmapd adopt --take", check=False).status == 1
    node.stop()
    taken = node.machine.run("lunmapd adopt --take").stdout
    assert "no session was dropped; the plan is empty" in taken
    assert _own_part(node) == before
    assert f"tpgt_2/np/{GATEWAY}:3260" in node.lio()
    node.start()
    targetcli_cluster.ctl.apply(drafted)
    wait_until("the node is as the map says", targetcli_cluster.all_well)
    assert _own_part(node) == before
    assert f"tpgt_2/np/{GATEWAY}:3260" not in node.lio()
    assert "create" not in node.log()
    _contest(targetcli_cluster)
    targetcli_cluster.ctl.apply(drafted.replace("lun: 5\n", "lun: 9\n"))
    then = io.progress.operations
    wait_until("the I/O goes on", lambda: io.progress.operations > then + 50)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert targetcli_cluster.initiator.sessions() == sessions
    assert "lun_9" in node.lio()
    assert [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line] == theirs
    targetcli_cluster.ctl.apply("nodes: {n1: {tpg_tag: 1, portals: [10.0.0.1]}}")
    assert "/vol" not in node.lio()
    assert OLD not in node.lio()
    assert [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line] == theirs


def _make(node: StorageNode) -> None:
    """Make the targets, and a target port group for a LUN."""
    node.machine.run("targetcli", input=_MADE.replace("ADDRESS", node.machine.address))
    node.machine.run(
        f"cd {CONFIGFS}/core/iblock_*/vol/alua && mkdir ao && echo 1 >ao/tg_pt_gp_id && "
        f"echo ao >{CONFIGFS}/iscsi/{OLD}/tpgt_1/lun/lun_0/alua_tg_pt_gp"
    )


def _repair(node: StorageNode) -> None:
    """Remove the reasons that `lunmapd adopt` gives for the target, as they say."""
    refused = node.machine.run("lunmapd adopt", check=False)
    assert refused.status == 6
    assert all(text in refused.stdout for text in ("demo mode", f"{HOST} logged in", "target port groups"))
    node.machine.run("targetcli", input=_REPAIRED)
    node.machine.run(f"rmdir {CONFIGFS}/core/iblock_*/vol/alua/ao")


def _with_gateway(drafted: str) -> str:
    """Return the map with the other gateway as a node that serves the same target."""
    lunmap = yaml.safe_load(drafted)
    lunmap["nodes"]["n2"] = {"tpg_tag": 2, "portals": [GATEWAY]}
    lunmap["targets"][OLD]["nodes"]["n2"] = {}
    for lun in lunmap["luns"].values():
        lun["shared"] = {"reservations": "off", "compare_and_write": "off"}
    return yaml.safe_dump(lunmap)


def _own_part(node: StorageNode) -> list[str]:
    """Return LIO's objects without the TPG of the other gateway and the target port groups for it."""
    lines = node.lio().splitlines()
    return [line for line in lines if "tpgt_2" not in line and "alua/lunmapd" not in line]


def started_io(cluster: Cluster, target: str) -> VerifiedIO:
    """Start I/O on LUN 0 of a target, once the kernel and udev have named its disk after the login."""
    disk = f"/dev/disk/by-path/ip-{cluster.nodes[0].machine.address}:3260-iscsi-{target}-lun-0"
    machine = cluster.initiator.machine
    wait_until("the disk is there", lambda: machine.run(f"[ -b {disk} ]", check=False).status == 0)
    io = cluster.initiator.verified_io(disk, offset=MIB)
    wait_until("the I/O is under way", lambda: io.progress.operations > 50)
    return io


def _contest(cluster: Cluster) -> None:
    """Assert that the node reports a targetctl that would restore the target, until its unit is masked."""
    machine = cluster.nodes[0].machine
    machine.run(
        f"mkdir -p {LINKS}/multi-user.target.wants; ln -s /usr/lib/systemd/system/{UNIT} {LINKS}/multi-user.target.wants/"
    )
    wait_until("it tells of targetctl", lambda: "BootUncontested" in cluster.ctl("status", expect=None).out)
    machine.run(f"ln -sf /dev/null {LINKS}/{UNIT}")
    wait_until("it is well again", cluster.all_well)


def test_a_taking_over_that_is_killed_is_done_again(targetcli_cluster: Cluster, tmp_path: Path) -> None:
    """With sealed CHAP, killed between any two marks and with a daemon in between, no session notices."""
    (node,) = targetcli_cluster.nodes
    key = tmp_path / "secrets.key"
    targetcli_cluster.ctl("secret", "--key-file", str(key), "new-key")
    node.machine.put("/etc/lunmapd/secrets.key", key.read_text(), mode=0o600)
    node.machine.run("truncate -s 64M /srv/first.img /srv/second.img")
    node.machine.run("targetcli", input=f"{_WITH_CHAP}saveconfig /root/saved.json\nexit\n")
    targetcli_cluster.initiator.discover(node.machine.address)
    targetcli_cluster.initiator.chap(username=USER, password=WORD)
    for target in (ONE, TWO):
        targetcli_cluster.initiator.login(target)
    io = started_io(targetcli_cluster, ONE)
    sessions = targetcli_cluster.initiator.sessions()
    drafted = node.machine.run("lunmapd adopt").stdout
    saved = node.machine.run("lunmapd adopt --from /root/saved.json").stdout
    assert without_port_ids(saved) == without_port_ids(drafted)
    targetcli_cluster.ctl.apply(node.machine.run("lunmapd adopt --seal").stdout, wait=None)
    before = node.lio()
    node.stop()
    kill_taking(node, 2)
    node.machine.run("rm /var/log/lunmapd.log")
    node.start()
    wait_until(
        "the daemon can't remove what is in use", lambda: "storage_object first fails: InUse" in node.log()
    )
    node.stop()
    kill_taking(node, 3)
    kill_taking(node, 2)
    assert "no session was dropped; the plan is empty" in node.machine.run("lunmapd adopt --take").stdout
    again = node.machine.run("lunmapd adopt --take", check=False)
    assert (again.status, "start lunmapd" in again.stderr) == (6, True)
    assert node.lio() == before
    node.start()
    wait_until("the node is as the map says", targetcli_cluster.all_well)
    assert node.lio() == before
    then = io.progress.operations
    wait_until("the I/O goes on", lambda: io.progress.operations > then + 50)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert targetcli_cluster.initiator.sessions() == sessions
    targetcli_cluster.initiator.logout(ONE)
    targetcli_cluster.initiator.login(ONE)


def without_port_ids(text: str) -> Lunmap:
    """Read a map, without the values that targetcli doesn't save."""
    lines = (line for line in text.splitlines() if "port_id" not in line)
    return parse_map("\n".join(lines))[0]


def kill_taking(node: StorageNode, number: int) -> None:
    """Take over, killed before the change of configfs that has this number."""
    script = Path(__file__).with_name("adopt_guest.py").read_text(encoding="utf-8")
    node.machine.put("/run/adopt.py", script)
    done = node.machine.run(f"python3 -W ignore /run/adopt.py {number}; exit $?", check=False)
    assert done.status == KILLED, done
