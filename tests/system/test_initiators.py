"""docs/initiators.md: each of its commands on a host with two nodes, and its tables."""

from functools import partial

import pytest

from lab import wait_for
from lab.machines.io import pattern
from lab.wait import wait_until
from support.cluster import DB1, HOST, PID, SAN, Cluster
from system.documented_host import (
    CONF,
    CONF_OF_ACME,
    DOCUMENTED_WWID,
    LEAVE,
    LOG_IN,
    REMOVE,
    RESCAN,
    RESIZE,
    DocumentedHost,
    rows,
)

pytestmark = pytest.mark.kernel

VOLUME, OTHER = DOCUMENTED_WWID, "360014053f1d6c1e00094f0b9f3e7a51c"
READS = "/run/udev/rules.d/99-reads.rules"
SECTORS = 32768
MIB = 1 << 20
MAP = f"""
luns:
  db1:
    serial: 3f1d6c1e00014f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db1}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
  logs:
    serial: 3f1d6c1e00024f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/mapper/volume}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]
targets:
  {SAN}: {{nodes: [n1, n2]}}
initiators:
  {HOST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: [ADDRESS1]}}
  n2: {{tpg_tag: 2, portals: [ADDRESS2]}}
"""
UNMAPPED = MAP.replace(f'maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]', "maps: []")
ANOTHER = f"""\
  other:
    serial: 3f1d6c1e00094f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db2}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: NUMBER, initiator: "{HOST}"}}]
targets:
"""
# A device on a part of a disk, which can grow.
_TABLE = "0 {sectors} linear /dev/vg0/logs 0"
MAKE_VOLUME = f"modprobe dm_mod; DM_DISABLE_UDEV=1 dmsetup create volume --table '{_TABLE}'"
LOAD_VOLUME = f"export DM_DISABLE_UDEV=1; dmsetup load volume --table '{_TABLE}'; dmsetup suspend volume; dmsetup resume volume"
CHANGED = "LUN assignments on this target have changed. The Linux SCSI layer does not automatically remap LUN"


@pytest.fixture(scope="module")
def logged_in(two_nodes: Cluster) -> DocumentedHost:
    """Give two nodes that serve two Luns, and a host that is set up and logged in as the page says."""
    for node in two_nodes.nodes:
        node.machine.run(MAKE_VOLUME.format(sectors=SECTORS))
    two_nodes.restore(two_nodes.filled(MAP))
    host = DocumentedHost(two_nodes)
    host.configure(CONF)
    host.run(LOG_IN)
    return host


@pytest.fixture
def host(logged_in: DocumentedHost) -> DocumentedHost:
    """Give the host with two paths to each of the two Luns, and nothing else."""
    logged_in.cluster.restore(logged_in.cluster.filled(MAP))
    resize(logged_in, SECTORS)
    logged_in.configure(CONF)
    if logged_in.usable_paths() != {DB1: 2, VOLUME: 2} or logged_in.sizes(VOLUME) != {SECTORS}:
        logged_in.remove_unmapped(*(logged_in.usable_paths().keys() & {VOLUME, OTHER}))
        logged_in.run(RESCAN)
        logged_in.await_maps(DB1, VOLUME)
    logged_in.machine.run("dmesg -C")
    return logged_in


def commit(host: DocumentedHost, text: str, *edits: tuple[str, str], reuse: tuple[str, ...] = ()) -> None:
    """Apply a map with texts replaced; the Luns of `reuse` may take LUN numbers of others."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    host.cluster.ctl.apply(host.cluster.filled(text), reuse=reuse)


def another(number: int, more: str = "") -> tuple[str, str]:
    """Return the edit that adds another Lun, with more lines for it."""
    return "targets:\n", ANOTHER.replace("NUMBER", str(number)).replace("    shared", f"{more}    shared")


def resize(host: DocumentedHost, sectors: int) -> None:
    """Give the volume another size on both nodes."""
    for node in host.cluster.nodes:
        node.machine.run(LOAD_VOLUME.format(sectors=sectors))


def mark_other(host: DocumentedHost) -> None:
    """Write a pattern to the disk of the Lun that no map has yet."""
    assert pattern(host.cluster.nodes[0].machine, "write", "/dev/vg0/db2", (2, 0, MIB)).errors == 0


def mismatches(host: DocumentedHost, wwid: str, seed: int) -> int:
    """Compare a device with a pattern."""
    return host.initiator.verify_pattern(host.device(wwid), seed, 0, MIB).mismatches


def failed_writes(host: DocumentedHost, seed: int) -> int:
    """Write a pattern to the volume, and return how many of its 256 blocks could not be written."""
    return host.initiator.write_pattern(host.device(VOLUME), seed, 0, MIB).errors


def test_the_host_is_set_up_as_the_page_says(host: DocumentedHost) -> None:
    """Each setting has the value of the table, from the place that the table names; sessions last."""
    settings = {section: host.settings(section) for section in ("defaults", "devices")}
    for name, value, source, _ in rows("setting | value | from | meaning"):
        assert settings["devices" if source == "the entry for LIO" else "defaults"][name] == value, name
    assert set(host.machine.run("cat /sys/class/iscsi_session/*/recovery_tmo").stdout.split()) == {"5"}
    addresses = {node.machine.address for node in host.cluster.nodes}
    assert {session.address for session in host.initiator.sessions()} == addresses
    assert host.machine.run(f"iscsiadm -m node -T {SAN} | grep -c startup.=.automatic").stdout == "2\n"


def test_paths_have_the_states_of_the_table(host: DocumentedHost) -> None:
    """Each state of the map gives the groups, checker results and priorities that the table says."""
    lun = "path: /dev/vg0/db1}\n"
    for others, groups, *paths, _ in rows("`others` | groups | path through n1 | path through n2 | effect"):
        commit(host, MAP, (lun, f"{lun}    preferred: n1\n    others: {others}\n"))
        wait_for(f"the states beside {others}", partial(host.states, DB1), [groups, *paths].__eq__)


def test_access_needs_a_rescan(host: DocumentedHost) -> None:
    """Writes to a Lun that became read-only fail at once; both ways, the host shows it after a rescan."""
    writable = f'lun: 1, initiator: "{HOST}"'
    commit(host, MAP, (writable, f"{writable}, access: ro"))
    assert host.read_only(VOLUME) == {0}
    assert failed_writes(host, 4) == 256
    host.run(RESCAN)
    wait_for("the host has it read-only", partial(host.read_only, VOLUME), {1}.__eq__)
    commit(host, MAP)
    assert host.read_only(VOLUME) == {1}
    host.run(RESCAN)
    wait_for("the host has it writable", partial(host.read_only, VOLUME), {0}.__eq__)
    assert failed_writes(host, 4) == 0


def test_a_rescan_finds_a_new_lun(host: DocumentedHost) -> None:
    """Until then the kernel logs it and does nothing.

    With another vendor it lacks queueing and failback, which the section of the page brings back.
    """
    commit(host, MAP, another(7, "    vendor: ACME\n"))
    wait_until("the kernel logs the change", lambda: CHANGED in host.log())
    host.await_maps(DB1, VOLUME)
    host.run(RESCAN)
    host.await_maps(DB1, VOLUME, OTHER)
    assert host.behaviour(OTHER) == "manual - tur"
    host.configure(CONF + CONF_OF_ACME)
    wait_for("the section's settings", partial(host.behaviour, OTHER), "immediate 12 chk directio".__eq__)
    assert host.behaviour(VOLUME) == "immediate 12 chk directio"


def test_a_map_grows_after_a_rescan(host: DocumentedHost) -> None:
    """It follows its paths by itself with the configuration of the page, else by the command; data stay."""
    assert failed_writes(host, 3) == 0
    resize(host, 2 * SECTORS)
    assert host.sizes(VOLUME) == {SECTORS}
    host.run(RESCAN)
    wait_for("the map has grown", partial(host.sizes, VOLUME), {2 * SECTORS}.__eq__)
    host.configure(CONF.replace("auto_resize grow_only", "auto_resize never"))
    resize(host, 3 * SECTORS)
    host.run(RESCAN)
    wait_for("the paths have grown", partial(host.sizes, VOLUME), {2 * SECTORS, 3 * SECTORS}.__eq__)
    host.run(RESIZE)
    assert host.sizes(VOLUME) == {3 * SECTORS}
    assert mismatches(host, VOLUME, 3) == 0


def test_io_that_waits_for_ever_is_ended_before_a_removal(host: DocumentedHost) -> None:
    """A map that lost its `no_path_retry` queues without paths, and a waiting reader of udev keeps it in use.

    The removal is refused in time, though an event of udev never ends.
    """
    commit(host, MAP, another(7, "    vendor: ACME\n"))
    host.configure(CONF + CONF_OF_ACME)
    host.run(RESCAN)
    host.await_maps(DB1, VOLUME, OTHER)
    host.configure(CONF)
    wait_for(
        "the host's settings are without the section's", partial(host.behaviour, OTHER), "manual - tur".__eq__
    )
    commit(host, MAP)
    wait_for("the paths have failed", host.usable_paths, {DB1: 2, VOLUME: 2, OTHER: 0}.__eq__)
    host.machine.put(READS, f'ENV{{DM_NAME}}=="{OTHER}", RUN+="/usr/sbin/blkid -p /dev/mapper/{OTHER}"\n')
    host.machine.run(f"udevadm control --reload; udevadm trigger --action=change /dev/mapper/{OTHER}")
    wait_until("the reader waits", partial(host.is_open, OTHER))
    host.machine.run(f"rm {READS}; udevadm control --reload")
    in_use = REMOVE.replace(DOCUMENTED_WWID, OTHER)
    assert host.machine.run(in_use, check=False).status == 1
    host.remove_unmapped(OTHER)
    host.await_maps(DB1, VOLUME)


def test_a_host_leaves_a_target(host: DocumentedHost) -> None:
    """No session and no record is left, so that nothing logs in again."""
    for wwid in (DB1, VOLUME):
        host.device(wwid)
        host.remove(wwid)
    host.run(LEAVE)
    assert host.initiator.sessions() == []
    assert SAN not in host.machine.run("iscsiadm -m node", check=False).stdout
    host.run(LOG_IN)


def test_a_removed_lun_leaves_nothing(host: DocumentedHost) -> None:
    """Removed on the host before the map it causes no error, and its number then leads to another Lun's data.

    In use, it is not removed.
    Unmapped first, a device stays with failed paths, also after a rescan, until the commands remove it.
    """
    mark_other(host)
    in_use = f"exec 9<{host.device(VOLUME)}\n{REMOVE}"
    assert host.machine.run(in_use, check=False).status == 1
    host.await_maps(DB1, VOLUME)
    host.run(REMOVE)
    commit(host, UNMAPPED)
    host.run(RESCAN)
    host.await_maps(DB1)
    assert "rror" not in host.log()
    commit(host, UNMAPPED, another(1), reuse=("other",))
    host.run(RESCAN)
    host.await_maps(DB1, OTHER)
    assert mismatches(host, OTHER, 2) == 0
    commit(host, UNMAPPED)
    host.run(RESCAN)
    wait_for("the paths have failed", host.usable_paths, {DB1: 2, OTHER: 0}.__eq__)
    host.remove_unmapped(OTHER)
    host.await_maps(DB1)
    assert host.machine.run("ls /dev/disk/by-path").stdout.count("lun-") == 2


def disk_of_other_is_intact(host: DocumentedHost) -> bool:
    """Return whether the disk of the other Lun has its own blocks, read on a node."""
    return pattern(host.cluster.nodes[0].machine, "verify", "/dev/vg0/db2", (2, 0, MIB)).mismatches == 0


def commit_without_override(host: DocumentedHost, *edits: tuple[str, str]) -> None:
    """Commit another Lun at a used number while the nodes sleep, and end the override that comes with it."""
    for node in host.cluster.nodes:
        node.machine.run(f"kill -STOP $(cat {PID})")
    text = MAP
    for old, new in edits:
        text = text.replace(old, new, 1)
    host.cluster.ctl.apply(host.cluster.filled(text), wait=None, reuse=("other",))
    host.cluster.ctl("override", "none")
    for node in host.cluster.nodes:
        node.machine.run(f"kill -CONT $(cat {PID})")


def holds_other_data(host: DocumentedHost) -> bool:
    """Return whether both nodes hold the creation of another Lun, and name the class."""
    nodes = host.cluster.ctl.status()["nodes"].values()
    return all(any("other-data for" in problem for problem in node["problems"]) for node in nodes)


def test_a_number_that_leads_elsewhere_is_held(host: DocumentedHost) -> None:
    """The device keeps its Lun through both nodes, after a rescan and a restart too, and undoing is free."""
    mark_other(host)
    assert failed_writes(host, 1) == 0
    commit_without_override(host, ("lun: 1,", "lun: 9,"), another(1))
    wait_until("both nodes hold it", partial(holds_other_data, host))
    host.run(RESCAN)
    host.cluster.nodes[0].stop("KILL")
    host.cluster.nodes[0].start()
    wait_until("both nodes hold it again", partial(holds_other_data, host))
    host.await_maps(DB1, VOLUME)
    assert failed_writes(host, 3) == 0
    assert mismatches(host, VOLUME, 3) == 0
    assert disk_of_other_is_intact(host)
    commit(host, MAP, reuse=("logs",))
    assert failed_writes(host, 1) == 0


def test_a_number_is_empty_before_it_leads_elsewhere(host: DocumentedHost) -> None:
    """With an override the paths of the old device fail first; `recheck_wwid` gives them to the other Lun.

    No block of the old device reaches the disk of the other one.
    """
    mark_other(host)
    assert failed_writes(host, 1) == 0
    commit(host, MAP, ("lun: 1,", "lun: 9,"), another(1), reuse=("other",))
    host.run(RESCAN)
    host.await_maps(DB1, VOLUME, OTHER)
    assert mismatches(host, VOLUME, 1) == 0
    assert mismatches(host, OTHER, 2) == 0
    assert failed_writes(host, 3) == 0
    assert disk_of_other_is_intact(host)
