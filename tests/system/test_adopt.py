"""A target that was made with targetcli becomes lunmapd's, under an initiator's I/O."""

from collections.abc import Iterator

import pytest
from cluster import HOST, Cluster, bring_up, eventually

from lab.pytest_plugin import NewLab

pytestmark = pytest.mark.lab

MIB = 1 << 20
LINKS = "/etc/systemd/system"
UNIT = "rtslib-fb-targetctl.service"
OLD = "iqn.2003-01.org.linux-iscsi.old:san"
STRANGE = "iqn.2003-01.org.linux-iscsi.old:strange"
# As an admin would; only a write-back cache and demo mode can't be taken over.
_MADE = f"""
/backstores/block create name=vol dev=/dev/disk/lab/db2
/backstores/fileio create name=logs file_or_dev=/srv/logs.img size=64M write_back=false
/backstores/fileio create name=cached file_or_dev=/srv/cached.img size=64M
/iscsi create {OLD}
/iscsi/{OLD}/tpg1/luns create /backstores/block/vol
/iscsi/{OLD}/tpg1/luns create /backstores/fileio/logs lun=5
/iscsi/{OLD}/tpg1/acls create {HOST}
/iscsi create {STRANGE}
/iscsi/{STRANGE}/tpg1/luns create /backstores/fileio/cached
/iscsi/{STRANGE}/tpg1/acls create {HOST}
exit
"""


@pytest.fixture(scope="module")
def cluster(new_lab: NewLab) -> Iterator[Cluster]:
    """Give a node on which another tool has made targets, and its daemon runs without a map."""
    with new_lab() as lab:
        found = bring_up(lab, nodes=1)
        # targetcli asks for tcmu-runner there.
        found.nodes[0].machine.run(
            "mkdir -p /run/dbus; dbus-daemon --system --fork; truncate -s 64M /srv/logs.img"
        )
        found.nodes[0].machine.run("targetcli", input=_MADE, timeout=60)
        yield found


def test_a_target_of_another_tool_is_taken_over_under_io(cluster: Cluster) -> None:
    """Its map is printed, committed, proved by an empty plan and taken over; no session and no I/O notices, and then it is ours."""
    (node,) = cluster.nodes
    cluster.initiator.discover(node.machine.address)
    cluster.initiator.login(OLD)
    device = cluster.initiator.machine.run("ls -d /sys/class/scsi_disk/*:0/device/block/*").stdout.strip()
    io = cluster.initiator.verified_io(f"/dev/{device.rpartition('/')[2]}", offset=MIB)
    sessions = cluster.initiator.sessions()
    theirs = [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line]
    drafted = node.machine.run("lunmapd adopt").stdout
    assert f"# not taken over: {STRANGE}: cached: it was opened with a write-back cache" in drafted
    assert node.machine.run("lunmapd adopt --check", check=False).stdout.startswith("the plan is empty: 0")
    cluster.ctl.apply(drafted, wait=None)
    before = node.lio()
    checked = node.machine.run("lunmapd adopt --check").stdout
    assert "the plan is empty: 1 targets" in checked
    assert node.machine.run("lunmapd adopt --take", check=False).status == 1
    node.stop()
    taken = node.machine.run("lunmapd adopt --take").stdout
    assert "no session was dropped; the plan is empty" in taken
    assert node.lio() == before
    node.start()
    eventually("the node is as the map says", lambda: cluster.ctl("status", expect=None).status == 0)
    assert node.lio() == before
    assert "create" not in node.log()
    _contest(cluster)
    cluster.ctl.apply(drafted.replace("lun: 5\n", "lun: 9\n"))
    then = io.progress.operations
    eventually("the I/O goes on", lambda: io.progress.operations > then + 50)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert cluster.initiator.sessions() == sessions
    assert "lun_9" in node.lio()
    assert [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line] == theirs
    cluster.ctl.apply("nodes: {n1: {tpg_tag: 1, portals: [10.0.0.1]}}")
    assert "/vol" not in node.lio()
    assert OLD not in node.lio()
    assert [line for line in node.lio().splitlines() if "cached" in line or STRANGE in line] == theirs


def _contest(cluster: Cluster) -> None:
    """See that the node tells of a targetctl that would restore the target from what targetcli has saved, until it is masked."""
    machine = cluster.nodes[0].machine
    machine.run(
        f"mkdir -p {LINKS}/multi-user.target.wants; ln -s /usr/lib/systemd/system/{UNIT} {LINKS}/multi-user.target.wants/"
    )
    eventually("it tells of targetctl", lambda: "BootUncontested" in cluster.ctl("status", expect=None).out)
    machine.run(f"ln -sf /dev/null {LINKS}/{UNIT}")
    eventually("it is well again", lambda: cluster.ctl("status", expect=None).status == 0)
