"""Two storage nodes with lunmapd, an initiator and ZooKeeper, on real kernels: the promises to a user."""

import json
import time
from collections.abc import Iterator
from functools import partial

import pytest

from lab import CommandFailed
from lab.wait import wait_until
from support.cluster import (
    DB1,
    HOST,
    METRICS,
    PID,
    SAN,
    SCRATCH,
    SESSION_TIMEOUT,
    SETTINGS,
    Cluster,
    StorageNode,
    settings,
)

pytestmark = pytest.mark.kernel

MIB = 1 << 20
LOGS = "360014053f1d6c1e00024f0b9f3e7a51c"
LATE = """
  late:
    serial: 3f1d6c1e00044f0b9f3e7a51c2d40000
    backing: {type: block, path: /dev/vg0/db2}
    shared: {reservations: off, compare_and_write: off}
    maps:
      - {target: "iqn.2026-01.org.example:san", lun: 7, initiator: "iqn.2026-01.org.example:host1"}
"""
ALONE = "iqn.2026-01.org.example:alone"


@pytest.fixture
def cluster(two_nodes: Cluster) -> Iterator[Cluster]:
    """Give the cluster with all of it running, the example applied everywhere, and no session."""
    two_nodes.restore(two_nodes.for_two())
    yield two_nodes
    two_nodes.initiator.end_io()
    two_nodes.log_out()


def sessions(cluster: Cluster) -> list[tuple[int, str]]:
    """Return the initiator's sessions by id and state; a session that was dropped comes back with others."""
    return [(session.sid, session.state) for session in cluster.initiator.sessions()]


def has_logged(node: StorageNode, what: str, times: int) -> bool:
    """Return whether a node's daemon has logged a text more often than a number of times."""
    return node.log().count(what) > times


def reload(node: StorageNode, text: str) -> None:
    """Give a node's daemon other settings, and wait until it has them."""
    said = "the settings were read again"
    before = node.log().count(said)
    node.machine.put(SETTINGS, text)
    node.machine.run(f"kill -HUP $(cat {PID})")
    wait_until("the settings are taken", partial(has_logged, node, said, before))


def disks(cluster: Cluster, number: int) -> list[str]:
    """Return the initiator's disks that have this LUN number."""
    listed = cluster.initiator.machine.run(
        f"ls -d /sys/class/scsi_disk/*:{number}/device/block/*", check=False
    )
    return [f"/dev/{line.rpartition('/')[2]}" for line in listed.stdout.splitlines()]


def test_what_is_written_on_one_path_is_read_on_the_other(cluster: Cluster) -> None:
    """A committed Lun is one volume with a path through each node, and its data are the same on both."""
    cluster.login()
    one, other = cluster.paths(DB1).paths
    assert {one.address, other.address} == {node.machine.address for node in cluster.nodes}
    assert cluster.initiator.write_pattern(f"/dev/{one.device}", 3, 0, MIB).errors == 0
    assert cluster.initiator.verify_pattern(f"/dev/{other.device}", 3, 0, MIB).mismatches == 0
    assert cluster.initiator.verify_pattern(f"/dev/{other.device}", 4, 0, MIB).mismatches == 256


def test_one_node_tells_of_all_portals(cluster: Cluster) -> None:
    """Discovery at any node lists the portals of every node, with their TPG tags."""
    wanted = {f"{node.machine.address}:3260,{tag} {SAN}" for tag, node in enumerate(cluster.nodes, 1)}
    for node in cluster.nodes:
        assert wanted == {line for line in cluster.initiator.discover(node.machine.address) if SAN in line}


def test_a_drained_node_is_not_told_of(cluster: Cluster) -> None:
    """Discovery doesn't list a node while it is drained."""
    cluster.ctl.apply(cluster.for_two().replace("{tpg_tag: 2,", "{tpg_tag: 2, state: drained,"))
    found = cluster.initiator.discover(cluster.nodes[0].machine.address)
    assert not [line for line in found if cluster.nodes[1].machine.address in line]


def test_a_portal_that_serves_nobody_is_reported_until_it_serves(cluster: Cluster) -> None:
    """An address that no interface has degrades the Luns of its node, until an interface has it."""
    node, ghost = cluster.nodes[0], "10.97.9.1"
    own = f"portals: [{node.machine.address}"
    cluster.ctl.apply(cluster.for_two().replace(own, f"{own}, {ghost}"), wait=None)

    def is_reported() -> bool:
        told = cluster.ctl("status", expect=None).out
        return f"n1: portal {ghost}:3260: PortalAddressMissing" in told and "n1 degraded" in told

    wait_until("the portal is reported", is_reported)
    assert cluster.ctl("check", expect=1).out.startswith("LUNMAP WARNING - n1: Applied: Failing")
    node.machine.run(f"ip addr add {ghost}/32 dev data0")
    wait_until("all is well", cluster.all_well)
    cluster.ctl.apply(cluster.for_two())
    node.machine.run(f"ip addr del {ghost}/32 dev data0")
    assert cluster.all_well()


def preferring(cluster: Cluster, node: StorageNode) -> str:
    """Return the map in which db1 is to be used through one node."""
    return cluster.for_two().replace(
        "    backing: {type: block, path: /dev/vg0/db1}",
        f"    backing: {{type: block, path: /dev/vg0/db1}}\n    preferred: {node.name}",
    )


def used_first(cluster: Cluster) -> set[str]:
    """Return the addresses of the paths to db1 that multipathd likes best."""
    (found,) = (each for each in cluster.initiator.multipaths() if each.wwid == DB1)
    best = max(path.priority for path in found.paths)
    return {path.address for path in found.paths if path.priority == best}


def test_the_preferred_node_is_used_and_can_change_under_io(cluster: Cluster) -> None:
    """Initiators learn the preferred node by ALUA, also after a change, without an error or a new login."""
    one, other = cluster.nodes
    cluster.ctl.apply(preferring(cluster, one))
    cluster.login()
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    wait_until("the first node is used", lambda: used_first(cluster) == {one.machine.address})
    before = sessions(cluster)
    cluster.ctl.apply(preferring(cluster, other))
    wait_until("the other node is used", lambda: used_first(cluster) == {other.machine.address})
    cluster.ctl.apply(cluster.for_two())
    wait_until(
        "both are used alike", lambda: used_first(cluster) == {one.machine.address, other.machine.address}
    )
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert sessions(cluster) == before


def test_a_late_device_is_exported_when_it_comes(cluster: Cluster) -> None:
    """A missing device is served as soon as the kernel announces it, though no retry is due for an hour."""
    node = cluster.nodes[1]
    patient = settings(node.name, cluster.ensemble.hosts).replace("retry: 1", "retry: 3600")
    reload(node, patient.replace("resync: 10", "resync: 3600"))
    node.machine.run("mv /dev/vg0/db2 /dev/vg0/late")
    missed, served = "/dev/vg0/db2 does not exist on this node", "storage_object late no longer fails"
    before = [node.log().count(said) for said in (missed, served)]
    cluster.ctl.apply(cluster.for_two().replace("  logs:\n", LATE + "  logs:\n"), wait=None)
    wait_until("the device is missed", lambda: node.log().count(missed) > before[0])
    node.machine.run(
        "mv /dev/vg0/late /dev/vg0/db2; echo change >/sys/class/block/$(basename $(readlink -f /dev/vg0/db2))/uevent"
    )
    wait_until("it is served", lambda: node.log().count(served) > before[1])


def test_a_plan_is_told_and_not_done(cluster: Cluster) -> None:
    """`lunmapd plan` names steps and affected initiators, with and without a daemon; nothing changes."""
    node = cluster.nodes[1]
    cluster.login()
    cluster.paths(DB1)
    assert node.machine.run("lunmapd plan").stdout.splitlines()[1:] == ["nothing to do"]
    node.stop()
    before = node.lio()
    without = cluster.for_two().replace(
        'lun: 0, initiator: "iqn.2026-01.org.example:host1"}',
        'lun: 9, initiator: "iqn.2026-01.org.example:host1"}',
    )
    cluster.ctl.apply(without, wait=None)
    told = node.machine.run("lunmapd plan -o json", check=False)
    steps = {step["object"].split()[0] + step["action"]: step for step in json.loads(told.stdout)["steps"]}
    assert told.status == 6
    # Every node is about to give it the new number, so none of them is a way out.
    assert steps["mapped_lundelete"]["disruption"] == "data-unreachable"
    assert steps["mapped_lundelete"]["initiators"] == [HOST]
    assert node.lio() == before
    cluster.ensemble.kill()
    assert "from the local snapshot" in node.machine.run("lunmapd plan").stdout
    cluster.ensemble.start()
    node.start()


def test_a_read_only_mapping_refuses_writes(cluster: Cluster) -> None:
    """A Lun mapped ro can be read and not written, until the map changes to rw, without a new login."""
    cluster.login()
    device = f"/dev/{cluster.paths(LOGS).paths[0].device}"
    before = sessions(cluster)
    machine = cluster.initiator.machine
    machine.run(f"dd if={device} of=/dev/null bs=4k count=1 iflag=direct")
    write = f"blockdev --setrw {device}; dd if=/dev/zero of={device} bs=4k count=1 oflag=direct"
    assert machine.run(write, check=False).status != 0
    cluster.ctl.apply(cluster.for_two().replace("access: ro", "access: rw"))
    machine.run(f"echo 1 > /sys/block/{device[5:]}/device/rescan; {write}")
    assert sessions(cluster) == before


def test_an_initiator_that_is_not_in_the_map_sees_nothing(cluster: Cluster) -> None:
    """A host without a mapping discovers no target, and is refused when it tries to log in all the same."""
    stranger = "iqn.2026-01.org.example:stranger"
    machine = cluster.initiator.machine
    address = cluster.nodes[0].machine.address
    as_stranger = (
        "iscsiadm -m iface -I other --op new; iscsiadm -m iface -I other --op update -n iface.initiatorname"
    )
    machine.run(f"{as_stranger} -v {stranger}")
    found = machine.run(f"iscsiadm -m discovery -t st -p {address} -I other", check=False)
    assert SAN not in found.stdout
    machine.run(f"iscsiadm -m node -o new -T {SAN} -p {address} -I other")
    with pytest.raises(CommandFailed, match="authorization"):
        machine.run(f"iscsiadm -m node -T {SAN} -p {address} -I other --login")


def by_hand(node: StorageNode) -> None:
    """Unmap LUN 0, add a portal, open the TPG and set a parameter, as an admin with targetcli might."""
    tpg = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_2"
    node.machine.run(
        f"set -e; cd {tpg}; find acls/{HOST}/lun_0 -type l -delete; rmdir acls/{HOST}/lun_0; mkdir np/127.0.0.1:3261; "
        "echo 1 >attrib/generate_node_acls; echo 7 >param/DefaultTime2Wait"
    )


def kept(node: StorageNode) -> str:
    """Return the manual changes: who may log in, the parameter, and whether LUN 0 and portal exist."""
    tpg = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_2"
    return node.machine.run(
        f"cd {tpg}; cat attrib/generate_node_acls param/DefaultTime2Wait; ls -d acls/{HOST}/lun_0 np/127.0.0.1:3261 2>&-",
        check=False,
    ).stdout


def failing(cluster: Cluster, node: StorageNode) -> tuple[int, int]:
    """Return which revision a node has seen, and how many objects fail there."""
    found = cluster.ctl.status()["nodes"][node.name]
    return found["observed"], found["failing"]


def test_what_a_hand_changed_is_reported_and_then_repaired(cluster: Cluster) -> None:
    """With `drift: report` drift stays over a restart while the map is applied.

    With `repair` it is repaired.
    """
    node, left = cluster.nodes[1], "0\n7\nnp/127.0.0.1:3261\n"
    usual = settings(node.name, cluster.ensemble.hosts)
    reload(node, f"{usual}drift: report\n")
    repaired = node.log().count("repairs drift")
    by_hand(node)
    # An observation in the middle finds the first edits only, and the next one the rest.
    revision = cluster.ctl.status()["revision"]
    wait_until("it is reported", lambda: failing(cluster, node) == (revision, 3))
    assert "Drifted" in cluster.ctl("status", expect=None).out
    wait_until("nobody is let in", lambda: kept(node) == left)
    cluster.ctl.apply(cluster.for_two().replace("  logs:\n", LATE + "  logs:\n"), wait=None)
    revision = cluster.ctl.status()["revision"]
    wait_until("the map is carried out", lambda: failing(cluster, node) == (revision, 3))
    assert "/late" in node.lio()
    node.stop()
    said = node.log().count("fails: Drifted")
    node.start()
    told = node.machine.run("lunmapd plan -o json", check=False)
    steps = json.loads(told.stdout)["steps"]
    assert {(step["object"].split()[0], step["action"]) for step in steps} == {
        ("mapped_lun", "create"),
        ("portal", "delete"),
        ("tpg", "update"),
    }
    assert all(step["drift"] and step["held"] for step in steps)
    wait_until("it is reported again", lambda: node.log().count("fails: Drifted") == said + 3)
    assert kept(node) == left
    reload(node, usual)
    wait_until("it is put right", cluster.all_well)
    assert kept(node) == f"0\n2\nacls/{HOST}/lun_0\n"
    assert node.log().count("repairs drift") == repaired + 4
    scrape = (
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{METRICS}/metrics').read().decode())"
    )
    figures = node.machine.run(["python3", "-c", scrape]).stdout
    assert 'lunmapd_drift_total{answer="repaired",class="mapped_lun"} 1.0' in figures


def test_a_second_apply_and_a_restart_change_nothing(cluster: Cluster) -> None:
    """Applying the same file makes no revision, and restarting a daemon leaves every LIO object as it was."""
    node = cluster.nodes[0]
    revision, before = cluster.ctl.status()["revision"], node.lio()
    assert cluster.ctl.apply(cluster.for_two()).out.startswith("nothing to change")
    node.stop()
    assert node.lio() == before
    node.machine.run("rm /var/log/lunmapd.log")
    node.start()
    wait_until("the daemon is back", cluster.all_well)
    assert cluster.ctl.status()["revision"] == revision
    assert node.lio() == before
    assert "create" not in node.log()
    assert "delete" not in node.log()


def test_moving_and_unmapping_and_removing(cluster: Cluster) -> None:
    """A LUN moves to another number, loses its mapping, and goes.

    Other LUNs' sessions and data don't notice.
    """
    cluster.login()
    other = cluster.paths(LOGS)
    before = sessions(cluster)
    moved = cluster.for_two().replace("lun: 0, initiator", "lun: 9, initiator", 1)
    cluster.ctl.apply(moved)
    cluster.initiator.rescan()
    wait_until("the kernel has both disks", lambda: len(disks(cluster, 9)) == 2)
    (device, _) = disks(cluster, 9)
    unmapped = moved.replace(f'      - {{target: "{SAN}", lun: 9, initiator: "{HOST}"}}\n', "", 1).replace(
        "    maps:\n  logs", "  logs"
    )
    cluster.ctl.apply(unmapped)
    read = "dd of=/dev/null bs=4k count=1 iflag=direct"
    assert cluster.initiator.machine.run(f"{read} if={device}", check=False).status != 0
    assert "/db1" not in cluster.nodes[0].lio()
    cluster.initiator.machine.run(f"{read} if={other.device}")
    assert sessions(cluster) == before
    cluster.ctl.apply("nodes: {n1: {tpg_tag: 1, portals: [10.0.0.1]}, n2: {tpg_tag: 2, portals: [10.0.0.2]}}")
    for node in cluster.nodes:
        assert node.lio().count("tpgt_") == 0
        assert "fileio_" not in node.lio()


def test_stopping_and_killing_the_daemon_harms_no_io(cluster: Cluster) -> None:
    """Under I/O, a stop, a kill -9 and a start of every daemon drop no session and cause no error."""
    cluster.login()
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    before = sessions(cluster)
    for node in cluster.nodes:
        node.stop()
        node.start()
        wait_until("the daemon is back", cluster.all_well)
        node.stop("KILL")
        node.start()
    then = io.progress.operations
    wait_until("the I/O goes on", lambda: io.progress.operations > then + 100)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)
    assert sessions(cluster) == before
    wait_until("the daemons are back", cluster.all_well)


def test_losing_zookeeper_harms_no_io(cluster: Cluster) -> None:
    """With all ZooKeeper servers dead for longer than a session, LIO's sessions stay, and nodes return."""
    cluster.login()
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    before, objects = sessions(cluster), [node.lio() for node in cluster.nodes]
    said = "StoreReadable=False"
    told = [node.log().count(said) for node in cluster.nodes]
    cluster.ensemble.kill()
    gone = time.monotonic()
    for node, times in zip(cluster.nodes, told, strict=True):
        wait_until("the node notices", partial(has_logged, node, said, times))
    wait_until("a session would have expired", lambda: time.monotonic() > gone + SESSION_TIMEOUT)
    assert [node.lio() for node in cluster.nodes] == objects
    cluster.ensemble.start()
    wait_until("the nodes come back", cluster.all_well)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)
    assert sessions(cluster) == before


def test_a_dead_node_is_seen_and_catches_up(cluster: Cluster) -> None:
    """A dead node is shown dead while the I/O uses the other one, and has the newest map when it returns."""
    cluster.login()
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    node = cluster.nodes[1]
    node.machine.kill()
    wait_until("status shows it dead", lambda: not cluster.ctl.status()["nodes"]["n2"]["alive"])
    assert "\nluns/db1, luns/logs: 1 of 2 paths: n2 DEAD\n" in cluster.ctl("status", expect=6).out
    cluster.ctl.apply(cluster.for_two().replace("alias: database host", "alias: renamed"))
    then = io.progress.operations
    wait_until("the I/O goes on", lambda: io.progress.operations > then + 50)
    node.machine.start()
    node.configure(cluster.ensemble.hosts)
    node.start()
    wait_until("it catches up", cluster.all_well)
    cluster.paths(DB1)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)


def test_a_missing_device_harms_only_its_lun(cluster: Cluster) -> None:
    """A Lun without its device is reported by name; it is served as soon as the device is there."""
    node = cluster.nodes[0]
    text = cluster.for_two().replace("/srv/scratch.img", "/srv/later.img")
    cluster.ctl.apply(text, wait=None, rebacking=["scratch"])
    wait_until("the problem is reported", lambda: cluster.ctl.status()["nodes"]["n1"]["failing"] == 1)
    (problem,) = [line for line in cluster.ctl("status", expect=6).out.splitlines() if "later.img" in line]
    assert "BackingDeviceMissing" in problem
    assert "/db1" in node.lio()
    node.machine.run("truncate -s 64M /srv/later.img")
    wait_until("it is served", cluster.all_well)


def test_targets_of_other_tools_are_left_alone(cluster: Cluster) -> None:
    """A foreign target is neither changed nor removed by any map."""
    machine = cluster.nodes[0].machine
    machine.run(
        "cd /sys/kernel/config/target; mkdir -p core/rd_mcp_0/mine; echo rd_pages=100 >core/rd_mcp_0/mine/control; "
        f"echo 1 >core/rd_mcp_0/mine/enable; mkdir -p iscsi/{ALONE}/tpgt_1/lun/lun_0; "
        f"ln -s $PWD/core/rd_mcp_0/mine iscsi/{ALONE}/tpgt_1/lun/lun_0/mine"
    )

    def theirs() -> list[str]:
        return [line for line in cluster.nodes[0].lio().splitlines() if "rd_mcp_0" in line or ALONE in line]

    before = theirs()
    cluster.ctl.apply(cluster.for_two().replace("lun: 0, initiator", "lun: 5, initiator"))
    cluster.ctl.apply("nodes: {n1: {tpg_tag: 1}, n2: {tpg_tag: 2}}")
    assert theirs() == before
    clash = cluster.for_two().replace(SCRATCH, ALONE)
    cluster.ctl.apply(clash, wait=None)
    wait_until("the clash is reported", lambda: "ForeignTarget" in cluster.ctl("status", expect=None).out)
    assert theirs() == before
    machine.run(
        f"cd /sys/kernel/config/target; rm iscsi/{ALONE}/tpgt_1/lun/lun_0/mine; rmdir iscsi/{ALONE}/tpgt_1/lun/lun_0 "
        f"iscsi/{ALONE}/tpgt_1 iscsi/{ALONE} core/rd_mcp_0/mine core/rd_mcp_0"
    )


def test_one_pass_and_its_exit_codes(cluster: Cluster) -> None:
    """`lunmapd --once` exits with 0 (applied), 6 (failures) or 5 (no ZooKeeper).

    --check-config with 0 or 3.
    """
    node = cluster.nodes[0]
    node.stop()
    assert node.once() == 0
    missing = cluster.for_two().replace("/srv/scratch.img", "/srv/none.img")
    cluster.ctl.apply(missing, wait=None, rebacking=["scratch"])
    assert node.once() == 6
    for server in cluster.ensemble.servers:
        server.kill()
    assert node.once() == 5
    cluster.ensemble.start()
    node.machine.run("lunmapd --check-config")
    node.machine.put("/run/bad.yaml", "nodes: n1\n")
    bad = node.machine.run("lunmapd --check-config -c /run/bad.yaml", check=False)
    assert bad.status == 3
    assert bad.stderr.splitlines() == [
        "lunmapd: /run/bad.yaml:1: nodes: unknown field; did you mean 'node'?",
        "lunmapd: /run/bad.yaml:1: (top level): missing required field 'zookeeper'",
    ]
    node.start()
