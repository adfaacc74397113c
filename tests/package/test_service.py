"""The Debian package under a real systemd and kernel, with an initiator that notices every disturbance."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.build.project import package
from lab.pytest_plugin import NewLab
from lab.wait import wait_until
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.events import Event
from lunmapd.core.base.messages import Message
from lunmapd.core.floating.lease import RESTART_LIFETIME
from package.serving import Site, converged, undisturbed
from support.cluster import HOST, METRICS, SAN, SCRATCH, SESSION_TIMEOUT, SETTINGS, Ctl, StorageNode, settings

pytestmark = pytest.mark.kernel

TREE = Path(__file__).parents[2]
DEB = "/root/lunmapd.deb"
DEBUG = TREE / "packaging/systemd/examples/debug.conf"
UNIT = TREE / "packaging/systemd/lunmapd.service"
PAGE_UNIT = TREE / "packaging/systemd/examples/lunmap-page.service"
KEYS = "/etc/lunmapd/secrets.key"
LIO = "/sys/kernel/config/target"
WORD = "a word for the host"
_DEVICES = "mkdir -p /dev/vg0 && ln -sf /dev/disk/lab/db1 /dev/disk/lab/logs /dev/vg0/ && truncate -s 64M /srv/scratch.img"
# Soon enough for a test; the daemon would ask for the time that its own deadlines need.
_WATCHDOG = "[Service]\nWatchdogSec=15\nUnsetEnvironment=WATCHDOG_USEC\n"
# Stops the main thread of a process, and no other one, by ptrace(2), asks for its figures meanwhile, and
# waits for its end.
_HANG = f"""
import ctypes, os, sys, urllib.request
attach, all_threads, main = 16, 0x40000000, int(sys.argv[1])
assert ctypes.CDLL(None, use_errno=True).ptrace(attach, main, None, None) == 0, os.strerror(ctypes.get_errno())
_, status = os.waitpid(main, all_threads)
assert os.WIFSTOPPED(status)
print(urllib.request.urlopen("http://127.0.0.1:{METRICS}/metrics").read().decode())
while os.WIFSTOPPED(status):
    _, status = os.waitpid(main, all_threads)
"""
_DROP_IN = "/run/systemd/system/lunmapd.service.d/watchdog.conf"
_DEBUG = "/run/systemd/system/lunmapd.service.d/debug.conf"
# A test that has changed the settings, or how the service is watched, leaves that to the next one.
_RUN_AS_SET = f"""
set -e
if ! cmp -s /root/settings {SETTINGS} || [ -e {_DROP_IN} ] || [ -e {_DEBUG} ]; then
    systemctl stop lunmapd
    rm -f {_DROP_IN} {_DEBUG}
    mkdir -p /etc/lunmapd
    cp /root/settings {SETTINGS}
    systemctl daemon-reload
fi
systemctl start lunmapd
"""
_FIELDS = {
    "MESSAGE_ID",
    "PRIORITY",
    *(f"LUNMAPD_{name}" for name in ("NODE", "OBJECT", "ACTION", "REASON", "DISRUPTION")),
}
_NEWER = """
set -e
dpkg-deb -R /root/lunmapd.deb /root/newer
sed -i 's/^Version: .*/&+newer/' /root/newer/DEBIAN/control
dpkg-deb -b /root/newer /root/newer.deb
"""


@pytest.fixture(scope="module")
def installed(new_lab: NewLab) -> Iterator[Site]:
    """Give one site to all tests of this module, with the package on it and no settings."""
    deb = package(TREE)
    with new_lab(tree=None) as lab:
        disks = [lab.disk(name) for name in ("db1", "logs")]
        ensemble = lab.ensemble(1, start=False)
        machine = lab.machine("n1", init="systemd", disks=disks, memory="512M", persistent=True, start=False)
        initiator = lab.initiator("host1", HOST, start=False)
        lab.start(ensemble, machine, initiator)
        machine.put(DEB, deb.read_bytes())
        machine.put("/etc/machine-id", "1" * 32 + "\n")
        found = Site(StorageNode(machine), ensemble, initiator, Ctl(ensemble.hosts))
        found.ctl("init")
        found.ctl.apply(found.map(), wait=None)
        yield found


@pytest.fixture
def site(installed: Site) -> Iterator[Site]:
    """Give the site with the package installed and configured, running, with the map applied."""
    installed.ensemble.start()
    installed.ctl.apply(installed.map(), wait=None)
    installed.machine.put("/root/settings", settings("n1", installed.ensemble.hosts))
    installed.machine.run(f"{_DEVICES}; [ -x /usr/bin/lunmapd ] || dpkg -i {DEB}")
    installed.machine.run(_RUN_AS_SET)
    converged(installed)
    installed.initiator.end_io()
    if not installed.initiator.sessions():
        installed.initiator.discover(installed.machine.address)
        installed.initiator.login(SAN)
    yield installed
    assert "Traceback" not in installed.journal()


def test_an_installed_package_waits_for_its_settings(installed: Site) -> None:
    """Installing enables the service and starts nothing as long as there are no settings."""
    installed.machine.run(f"dpkg -P lunmapd; rm -f {SETTINGS}; dpkg -i {DEB}")
    assert installed.machine.run("systemctl is-enabled lunmapd").stdout == "enabled\n"
    installed.machine.run("systemctl start lunmapd")
    assert (installed.show("ActiveState"), installed.show("ConditionResult")) == ("inactive", "no")


def test_stop_start_restart_and_kill_disturb_nobody(site: Site) -> None:
    """When the daemon stops, restarts or is killed, an initiator's I/O goes on, and LIO is unchanged."""
    with undisturbed(site):
        for command in ("stop", "start", "restart", "kill -s KILL"):
            site.ctl_on_node(f"systemctl {command} lunmapd")
        wait_until("systemd restarted it", lambda: site.show("NRestarts") == "1")
        converged(site)
    assert "stopped; LIO is left as it is" in site.journal()


def test_figures_are_served_for_prometheus(site: Site) -> None:
    """The hardened service answers a scrape on loopback with the applied revision.

    Other hosts can't connect.
    """
    scrape = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9810/metrics').read().decode())"
    found = site.machine.run(["python3", "-c", scrape]).stdout.splitlines()
    assert f"lunmapd_applied_revision {site.ctl.status()['revision']}.0" in found
    assert 'lunmapd_condition{type="Applied"} 1.0' in found
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((site.machine.address, METRICS), 60)


def test_the_watchdog_restarts_a_daemon_whose_loop_hangs(site: Site) -> None:
    """A daemon whose loop hangs is ended with a trace and started again, and no I/O is lost."""
    site.machine.put(_DROP_IN, _WATCHDOG)
    site.machine.put(SETTINGS, settings("n1", site.ensemble.hosts).replace("resync: 10", "resync: 1"))
    site.machine.put("/root/hang.py", _HANG)
    site.ctl_on_node("systemctl daemon-reload; systemctl restart lunmapd")
    converged(site)
    with undisturbed(site):
        hung = site.machine.run("python3 /root/hang.py $(systemctl show lunmapd --value -p MainPID)")
        assert "lunmapd_zookeeper_connected 1.0" in hung.stdout
        wait_until("systemd restarted it", lambda: site.show("NRestarts") == "1")
        converged(site)
    journal = site.journal()
    assert "Watchdog timeout" in journal
    assert "Fatal Python error: Aborted" in journal
    assert re.search(r'File ".*/lunmapd/.*\.py", line', journal)


def test_settings_are_reloaded_or_refused_as_a_whole(site: Site) -> None:
    """A reload applies the settings that can change, names the others, and refuses a wrong file."""
    before = site.show("MainPID")
    good = settings("n1", site.ensemble.hosts).replace("resync: 10", "resync: 20")
    site.machine.put(SETTINGS, good.replace(f"session_timeout: {SESSION_TIMEOUT:g}", "session_timeout: 5"))
    assert site.ctl_on_node("systemctl reload lunmapd") == 0
    assert "zookeeper.session_timeout keeps its old value until the daemon is restarted" in site.journal()
    site.machine.put(SETTINGS, good.replace("resync: 20", "resync: 0").replace("retry: 1", "retry: 0"))
    assert site.ctl_on_node("systemctl reload lunmapd", check=False) != 0
    wait_until(
        "every problem is in the journal", lambda: site.journal().count("refused, the old settings stay") == 2
    )
    assert (site.show("MainPID"), site.show("ActiveState")) == (before, "active")
    converged(site)


def test_an_upgrade_restarts_the_daemon_only(site: Site) -> None:
    """A newer package replaces the daemon under an initiator's I/O, and LIO is as it was."""
    before = site.show("MainPID")
    site.machine.run(_NEWER)
    with undisturbed(site):
        site.ctl_on_node("dpkg -i /root/newer.deb")
        assert site.show("MainPID") != before
        converged(site)


def test_a_removed_package_leaves_lio(site: Site) -> None:
    """Removing ends the daemon and nothing else; purging takes its settings and its state."""
    with undisturbed(site):
        site.ctl_on_node("dpkg -r lunmapd")
        assert site.machine.run("pgrep -f bin/lunmapd", check=False).stdout == ""
        site.machine.run(f"test -e {SETTINGS} && test -e /var/lib/lunmapd")
        site.ctl_on_node("dpkg -P lunmapd")
        assert site.machine.run("ls -d /etc/lunmapd /var/lib/lunmapd", check=False).stdout == ""


def test_the_journal_explains_itself(site: Site) -> None:
    """Lines have the node and the kind of message as fields, and `journalctl -x` explains them."""
    assert "The daemon compares the cluster's map" in site.journal(
        "-x", "LUNMAPD_NODE=n1", f"MESSAGE_ID={Message.STARTED}"
    )


def test_each_change_is_a_line_with_its_fields(site: Site) -> None:
    """At INFO, with revision, object, action, reason and disruption for programs to find it by."""
    site.ctl.apply(site.map().replace("access: ro", "access: rw"))
    revision = site.ctl.status()["revision"]
    converged(site)
    lines = site.journal("-o", "json", f"LUNMAPD_REVISION={revision}").splitlines()
    found = [{name: text for name, text in json.loads(each).items() if name in _FIELDS} for each in lines]
    # With its last read-only map the storage object gets its attributes back too.
    mapped, device = (f"mapped_lun {SAN} 1 {HOST} ", "storage_object ")
    (line,) = [each for each in found if each["LUNMAPD_OBJECT"].startswith(mapped)]
    assert [each for each in found if not each["LUNMAPD_OBJECT"].startswith((mapped, device))] == []
    del line["LUNMAPD_OBJECT"]
    assert line.pop("LUNMAPD_REASON")
    assert line == {
        "MESSAGE_ID": Message.CHANGED,
        "PRIORITY": "6",
        "LUNMAPD_NODE": "n1",
        "LUNMAPD_ACTION": "update",
        "LUNMAPD_DISRUPTION": "none",
    }
    site.ctl.apply(site.map())


def _debug(site: Site) -> None:
    """Restart the service with the drop-in that the package has as an example."""
    site.machine.put(_DEBUG, DEBUG.read_text())
    site.ctl_on_node("systemctl daemon-reload; systemctl restart lunmapd")


def test_the_debug_drop_in_shows_each_choice(site: Site) -> None:
    """With it the journal has the daemon's reads, steps and waits with fields, and kazoo's connections."""
    _debug(site)
    converged(site)
    full, *_ = site.journal("-o", "json", f"LUNMAPD_EVENT={Event.FULL_RECONCILE.name}").splitlines()
    fields = json.loads(full)
    assert (fields["PRIORITY"], fields["LUNMAPD_REASON"], fields["LUNMAPD_NODE"]) == (
        "7",
        FullPass.FIRST,
        "n1",
    )
    for event in (Event.WOKEN, Event.READ_FULL, Event.SESSION_NEW, Event.WORKER_STARTED, Event.PAUSED):
        assert site.journal(f"LUNMAPD_EVENT={event.name}"), event
    assert "Zookeeper connection established" in site.journal()


def test_the_service_may_do_little_and_hides_no_mount(site: Site) -> None:
    """The service is hardened as declared, and shares the host's mounts: a LUN's file system stays busy."""
    said = re.search(r"`systemd-analyze security lunmapd` says ([\d.]+)", UNIT.read_text())
    assert said is not None
    assert f": {said[1]} " in site.machine.run("systemd-analyze security lunmapd | tail -n 1").stdout
    assert f"rates it {said[1]}." in (TREE / "docs/adr/0012-service.md").read_text()
    assert (
        site.machine.run(
            "readlink /proc/{1,$(systemctl show lunmapd --value -p MainPID)}/ns/mnt | uniq | wc -l"
        ).stdout
        == "1\n"
    )


def test_the_hardened_service_gives_a_floating_address(site: Site) -> None:
    """It may do what the lease process needs, which runs only with a group. A restart keeps the address."""
    process = "pgrep --count --full lunmapd.service.lease.process"
    assert site.machine.run(process, check=False).stdout == "0\n"
    network, _, _ = site.machine.address.rpartition(".")
    address, serves_one = f"{network}.240", f"  {SCRATCH}:\n    nodes: [n1]\n"
    group = f"    floating: {{gold: {{tpg_tag: 1001, portals: [{address}], nodes: [n1]}}}}\n"
    assert serves_one in site.map()
    site.ctl.apply(site.map().replace(serves_one, serves_one + group), wait=None)

    def has_address() -> bool:
        return f" {address}/32 " in site.machine.run("ip -o address show").stdout

    wait_until("the node has the address", has_address)
    assert site.machine.run(process).stdout == "1\n"
    site.machine.run("setsid ip -o monitor address >/run/monitor 2>&1 </dev/null &")
    site.ctl_on_node("systemctl restart lunmapd")

    def changes() -> list[str]:
        return site.machine.run(f"grep ' {address}/32 ' /run/monitor", check=False).stdout.splitlines()

    wait_until("the next daemon has renewed the lease", lambda: "valid_lft 5sec" in changes()[-1])
    assert any(f"valid_lft {RESTART_LIFETIME}sec" in line for line in changes())
    assert not any("Deleted" in line for line in changes())
    site.ctl_on_node("systemctl stop lunmapd")
    assert not has_address()


def test_the_example_unit_serves_the_page(site: Site) -> None:
    """As a user without rights, with settings and password as credentials; it ends without an error."""
    machine, word = site.machine, "a word for the page"
    reader = "digest: {user: page, password_file: 'credentials:page.password'}"
    machine.put("/etc/lunmapd/page.yaml", f"zookeeper: {{hosts: ['{site.ensemble.hosts}'], {reader}}}\n")
    machine.put("/etc/lunmapd/page.password", f"{word}\n", mode=0o600)
    machine.put("/etc/systemd/system/lunmap-page.service", PAGE_UNIT.read_text())
    machine.run("systemctl daemon-reload; systemctl start lunmap-page")

    def page() -> str:
        read = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9811/').read().decode())"
        return machine.run(["python3", "-c", read], check=False).stdout

    wait_until("the page shows the node", lambda: "All is well: 1 node" in page())
    assert "<code>lunmapctl status --luns</code>" in page()
    user = machine.run("ps -o user= -p $(systemctl show lunmap-page --value -p MainPID)").stdout.strip()
    assert user not in {"root", ""}
    machine.run("systemctl stop lunmap-page; journalctl --sync")
    assert machine.run("systemctl show lunmap-page --value -p Result").stdout == "success\n"
    journal = machine.run("journalctl -b -u lunmap-page -o cat").stdout
    assert "serving http://127.0.0.1:9811/" in journal
    assert not any(text in journal for text in ("Traceback", "warning", word))


def test_no_secret_is_seen(site: Site, tmp_path: Path) -> None:
    """A CHAP password reaches LIO but no journal, process list, status or disk, even if it is unusable."""
    key_file = tmp_path / "secrets.key"

    def secret(*args: str) -> int:
        argv = ("secret", "--key-file", str(key_file), *args)
        return site.ctl(*argv, stdin=f"{WORD}\n", expect=None).status

    assert secret("new-key") == 0
    site.machine.put(KEYS, key_file.read_text(), mode=0o600)
    _debug(site)
    wait_until("the node has told of its key", lambda: secret("set", HOST, "--user", "host") == 0)
    site.ctl.apply(
        site.map()
        .replace("alias: database host", "alias: database host\n    chap: {user: host}")
        .replace("scratch:\n    nodes: [n1]", "scratch:\n    nodes: [n1]\n    authentication: chap")
    )
    converged(site)
    assert (
        site.machine.run(f"cat {LIO}/iscsi/{SCRATCH}/tpgt_1/acls/{HOST}/auth/password").stdout == f"{WORD}\n"
    )
    words = [WORD, *(line for line in key_file.read_text().splitlines() if not line.startswith("#"))]
    assert _seen(site, words) == []
    site.machine.run(
        f"systemctl stop lunmapd; rm {KEYS}; echo 0123 >{LIO}/iscsi/{SCRATCH}/tpgt_1/acls/{HOST}/auth/password"
    )
    site.machine.run("systemctl start lunmapd")
    wait_until("the secret fails", lambda: "SecretUndecodable" in site.journal())
    assert _seen(site, words) == []
    site.ctl.apply(site.map())


def _seen(site: Site, words: list[str]) -> list[str]:
    """Return the words that can be read where no secret may be."""
    look = "journalctl -b -o export --all; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; grep -a '' -r /var/lib/lunmapd"
    text = site.machine.run(f"{look} || true").stdout + str(site.ctl.status()) + site.ctl("get").out
    return [word for word in words if word in text]


def test_a_password_file_that_comes_late_is_taken_up(site: Site) -> None:
    """Without it the daemon ends with its own exit code; systemd starts it again until the file exists."""
    late = "/run/late.password"
    given = settings("n1", site.ensemble.hosts)
    site.machine.put(SETTINGS, f"{given}  digest: {{user: n1, password_file: {late}}}\n")
    site.ctl_on_node("systemctl restart lunmapd", check=False)
    wait_until("it is tried again", lambda: site.show("NRestarts") not in {"", "0"})
    assert "code=exited, status=7/" in site.journal()
    assert f"can't use {late}: no such file or directory" in site.journal()
    site.machine.run(f"umask 077; echo word >{late}")
    converged(site)
    assert site.show("ActiveState") == "active"


def test_a_node_boots_before_zookeeper_and_its_devices(site: Site) -> None:
    """At a boot without ZooKeeper the service serves the last map, and each device as it comes."""
    site.ensemble.kill()
    site.machine.run("sync")
    site.machine.restart()
    wait_until(
        "the devices are missed", lambda: "2 failing; no answer from ZooKeeper" in site.show("StatusText")
    )
    assert site.show("ActiveState") == "active"
    site.machine.run(_DEVICES)
    wait_until(
        "the devices were taken", lambda: "0 failing; no answer from ZooKeeper" in site.show("StatusText")
    )
    site.ensemble.start()
    converged(site)
