"""A node with fifty LUNs of which three can't be served, beside a target of another tool."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.wait import wait_until
from support.cluster import HOST, SAN, Cluster, Ctl

pytestmark = pytest.mark.kernel

BAD = "iqn.2026-01.org.example:bad"
THEIRS = "iqn.2003-01.org.linux-iscsi.other:theirs"
KEYS = "/etc/lunmapd/secrets.key"
LUNS = range(50)
MISSING, SECRET, REFUSED = 10, 20, 30
UNFIT = "    attributes: {optimal_sectors: 4294967295}\n"
NODES = """
nodes:
  n1: {tpg_tag: 1, portals: [ADDRESS]}
"""
REST = f"""
targets:
  {SAN}: {{nodes: {{n1: {{port_id: 17}}}}, authentication: chap}}
initiators:
  {HOST}: {{chap: {{user: host}}}}
  {BAD}: {{chap: {{user: bad}}}}
{NODES}"""
# What these do with a disk that appears takes longer than all else.
_ALONE = "kill $(pidof multipathd systemd-udevd); while pidof multipathd systemd-udevd; do :; done"
# One way in for another initiator from the same machine.
_READ = """
for d in /sys/class/scsi_disk/*; do
    disk=/dev/$(ls $d/device/block)
    dd if=$disk of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null && echo ${d##*:} $disk
done
true
"""
_INTERFACE = (
    f"iscsiadm -m iface -I bad --op new; iscsiadm -m iface -I bad --op update -n iface.initiatorname -v {BAD}"
)


@dataclass(frozen=True)
class Site:
    """A cluster of one node, every byte of a foreign target before lunmapd ran, and the keys of our secrets.

    The password of HOST is sealed with the `good` key, that of BAD with the `lost` one.
    """

    cluster: Cluster
    theirs: dict[str, str]
    good: str
    lost: str

    def map(self, *, unfit: str = "", mapped: bool = True) -> str:
        """Return the map; `unfit` is what LUN 30 has besides, and `mapped` whether it is mapped."""
        luns = "".join(_lun(number) for number in LUNS if number != REFUSED)
        return filled(self.cluster, f"luns:\n{luns}{_lun(REFUSED, unfit, mapped=mapped)}{REST}")

    def problems(self) -> list[str]:
        """Return the problems of the node's objects in `lunmapctl status`."""
        found: list[str] = self.cluster.ctl.status()["nodes"]["n1"]["problems"]
        return [line for line in found if not line.startswith("Applied")]

    def disks(self) -> dict[int, str]:
        """Return the initiator's disks that can be read, by LUN number."""
        lines = self.cluster.initiator.machine.run(_READ).stdout.splitlines()
        return {int(number): disk for number, disk in map(str.split, lines)}

    def await_disks(self, numbers: AbstractSet[int]) -> None:
        """Wait until exactly these LUNs can be read.

        The kernel probes a new disk after it has announced it.
        """
        wait_until(f"the disks can be read: {numbers}", lambda: self.disks().keys() == numbers)


def _lun(number: int, more: str = "", *, mapped: bool = True) -> str:
    who = BAD if number == SECRET else HOST
    maps = f'    maps: [{{target: "{SAN}", lun: {number}, initiator: "{who}"}}]\n'
    backing = f"{{type: fileio, path: /srv/l{number}}}"
    return f"  l{number}:\n    serial: '{number:025d}'\n    size: 1MiB\n    backing: {backing}\n{more}{maps if mapped else ''}"


@pytest.fixture(scope="module")
def foreign_node(one_node: Cluster) -> tuple[Cluster, dict[str, str]]:
    """Give a node with a foreign target, its content, and an initiator without multipath and udev."""
    one_node.initiator.machine.run(_ALONE)
    foreign(one_node, "make")
    return one_node, json.loads(foreign(one_node, "show"))


@pytest.fixture
def site(foreign_node: tuple[Cluster, dict[str, str]], tmp_path: Path) -> Site:
    """Give them with a file for each LUN but one, the secrets set, and no session."""
    cluster, theirs = foreign_node
    files = " ".join(f"/srv/l{number}" for number in LUNS if number != MISSING)
    cluster.nodes[0].machine.run(f"truncate -s 1M {files}")
    cluster.initiator.end_io()
    cluster.log_out()
    return Site(cluster, theirs, *set_secrets(cluster, tmp_path))


def filled(cluster: Cluster, text: str) -> str:
    """Return a map with the node's address."""
    return text.replace("ADDRESS", cluster.nodes[0].machine.address)


def set_secrets(cluster: Cluster, directory: Path) -> tuple[str, str]:
    """Seal the passwords of both initiators, each with a key of its own, and return the keys."""
    cluster.ctl.apply(filled(cluster, f"initiators: {{{HOST}: {{}}, {BAD}: {{}}}}{NODES}"), wait=None)
    good, lost = directory / "good.key", directory / "lost.key"
    for file, initiator, user, word in (
        (good, HOST, "host", "a word of host"),
        (lost, BAD, "bad", "word of the bad"),
    ):
        secret(cluster.ctl, file, "new-key")
        secret(cluster.ctl, file, "set", initiator, "--user", user, "--force", word=word)
    return good.read_text(), lost.read_text()


def foreign(cluster: Cluster, verb: str) -> str:
    """Make what another tool has made, or show the content of each of its files."""
    script = Path(__file__).with_name("foreign_guest.py").read_text(encoding="utf-8")
    machine = cluster.nodes[0].machine
    return machine.run(f"python3 - {verb} {machine.address}", input=script).stdout


def secret(ctl: Ctl, file: Path, *words: str, word: str = "") -> None:
    """Run `lunmapctl secret`."""
    ctl("secret", "--key-file", str(file), *words, stdin=f"{word}\n")


def test_three_bad_luns_harm_no_other_and_are_mended(site: Site) -> None:
    """47 of 50 LUNs serve while a device, a secret's key and an attribute are wrong.

    Each is named with its reason, and served once it is mended.
    """
    cluster, (node,) = site.cluster, site.cluster.nodes
    node.machine.put(KEYS, site.good, mode=0o600)
    cluster.ctl.apply(site.map(unfit=UNFIT), wait=None)
    wait_until("three objects fail", lambda: len(site.problems()) == 3)
    acl, storage, refused = sorted(site.problems())
    assert acl.startswith(f"acl {SAN} 1 {BAD}: SecretUndecodable: the secret is sealed with key")
    assert storage.startswith(
        f"storage_object l{MISSING}: BackingDeviceMissing: /srv/l{MISSING} does not exist"
    )
    assert refused.startswith(f"storage_object l{REFUSED}: KernelRefused: ")
    assert "optimal_sectors" in refused
    assert f"delete storage_object l{REFUSED}" not in node.log()
    log_in(cluster, user="host", word="a word of host")
    site.await_disks(set(LUNS) - {MISSING, SECRET, REFUSED})
    io = cluster.initiator.verified_io(site.disks()[0], length=1 << 20)
    sessions = cluster.initiator.sessions()

    node.machine.run(f"truncate -s 1M /srv/l{MISSING}")
    wait_until("the device is there", lambda: site.problems() == [acl, refused])
    node.machine.put(KEYS, site.good + site.lost, mode=0o600)
    wait_until("the key is there", lambda: site.problems() == [refused])
    cluster.ctl.apply(site.map(unfit=UNFIT, mapped=False))
    cluster.ctl.apply(site.map())
    cluster.initiator.rescan()
    site.await_disks(set(LUNS) - {SECRET})
    cluster.initiator.machine.run(_INTERFACE)
    log_in(cluster, user="bad", word="word of the bad", interface="bad")
    site.await_disks(set(LUNS))
    assert set(sessions) < set(cluster.initiator.sessions())
    final = io.stop()
    assert final.operations > 0
    assert (final.errors, final.mismatches) == (0, 0)
    cluster.log_out()


def test_another_tools_target_is_as_it_was_byte_for_byte(site: Site) -> None:
    """Our target comes, clashes, changes and goes on the same portal.

    Every file of the foreign one is unchanged.
    """
    cluster = site.cluster
    (node,) = cluster.nodes
    node.machine.put(KEYS, site.good + site.lost, mode=0o600)
    node.machine.run(f"truncate -s 1M /srv/l{MISSING}")
    cluster.ctl.apply(site.map().replace("port_id: 17", "port_id: 1"), wait=None)
    wait_until(
        "the clash is told of",
        lambda: any("PortIdTaken" in line and THEIRS in line for line in site.problems()),
    )
    for text in (site.map(), site.map().replace("lun: 7,", "lun: 77,"), NODES):
        cluster.ctl.apply(filled(cluster, text), wait=None)
        cluster.ctl("confirm", expect=None)
        wait_until("it is applied", cluster.all_well)
        assert json.loads(foreign(cluster, "show")) == site.theirs
    assert SAN not in node.lio()
    log_in(cluster, user="they", word="their word", target=THEIRS)
    site.await_disks({2})


def log_in(cluster: Cluster, *, user: str, word: str, interface: str = "default", target: str = SAN) -> None:
    """Log in to a target by CHAP."""
    machine, address = cluster.initiator.machine, cluster.nodes[0].machine.address
    machine.run(f"iscsiadm -m discovery -t st -p {address} -I {interface}")
    node = f"iscsiadm -m node -T {target} -p {address} -I {interface}"
    for name, value in (("authmethod", "CHAP"), ("username", user), ("password", word)):
        machine.run([*node.split(), "-o", "update", "-n", f"node.session.auth.{name}", "-v", value])
    machine.run(f"{node} --login")
