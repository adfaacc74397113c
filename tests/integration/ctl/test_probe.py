"""lunmapctl probe and probe-setup with a real ZooKeeper, and a portal that answers as scripted."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.iscsi_target import FakeTarget, Reply
from lab import Ensemble
from lunmapd.client import Client
from lunmapd.core.map.mapfile import parse_map, show_map
from lunmapd.service.keyfile import add_key
from support.cluster import Ctl

TARGET, HOST = "iqn.2026-01.org.example:san", "iqn.2026-01.org.example:host1"
PROBE, OTHER = "iqn.2026-01.org.example:probe", "iqn.2026-01.org.example:other"
LUN = """
  {name}:
    serial: "{serial}"
    backing: {{type: block, path: /dev/vg0/{name}}}
    maps: [{{target: "{target}", lun: {number}, initiator: "{host}"}}]
"""
MAP = """
luns: {luns}
targets: {{"{target}": {{nodes: [n1]}}}}
initiators: {{"{host}": {{}}}}
nodes: {{n1: {{tpg_tag: 1, portals: ["{portal}"]}}}}
"""


class Desk:
    """lunmapctl on a map of two Luns, with a key file and an access file."""

    def __init__(self, ctl: Ctl, at: Path, portal: str) -> None:
        self.ctl = ctl
        self.access, self.keys = at / "probe.yaml", at / "secrets.key"
        luns = "".join(
            LUN.format(name=name, serial=str(number) * 32, target=TARGET, number=number, host=HOST)
            for number, name in enumerate(("a", "b"), 1)
        )
        self.map = MAP.format(luns=luns, target=TARGET, host=HOST, portal=portal)

    def setup(self, *luns: str, iqn: str = PROBE, more: tuple[str, ...] = (), expect: int = 0) -> str:
        """Run probe-setup and return what it printed."""
        files = ("--access", str(self.access), "--key-file", str(self.keys))
        told = self.ctl("probe-setup", iqn, *luns, *files, *more, expect=expect)
        return told.out + told.err

    def probe(self, *args: str, expect: int = 0) -> str:
        """Run probe with the access file and return what it printed."""
        told = self.ctl("probe", "--access", str(self.access), *args, expect=expect)
        return told.out + told.err


def answer(_lun: int, _cdb: bytes) -> Reply:
    """Answer any command with BUSY: the session itself works."""
    return Reply(status=8)


@pytest.fixture
def portal() -> Iterator[FakeTarget]:
    """Give a portal that lists no target, and whose LUNs are busy."""
    with FakeTarget(answer) as target:
        yield target


@pytest.fixture
def desk(ensemble: Ensemble, root: str, tmp_path: Path, portal: FakeTarget) -> Desk:
    """Give the map and a key."""
    found = Desk(Ctl(ensemble.hosts, root), tmp_path, portal.portal)
    with Client.connect(ensemble.hosts, root) as client:
        client.initialise()
        client.apply(parse_map(found.map)[0])
    add_key(found.keys, bytes(32))
    return found


def maps_of_probe(desk: Desk) -> dict[str, list[tuple[int, str]]]:
    """Return number and access of the probe's maps, by Lun."""
    lunmap, _ = parse_map(desk.ctl("get").out)
    return {
        name: [(entry.lun, entry.access.value) for entry in lun.maps if entry.initiator == PROBE]
        for name, lun in lunmap.luns.items()
    }


def test_setting_up_a_probe(desk: Desk) -> None:
    """One commit makes the probe with its Luns; the access file is private, and passwords are nowhere else.

    What is printed keeps the probe in a map file.
    """
    told = desk.setup("b")
    assert "committed revision 2" in told
    assert stat.S_IMODE(desk.access.stat().st_mode) == 0o600
    words = [line.partition(": ")[2] for line in desk.access.read_text().splitlines() if "password" in line]
    assert [len(word) for word in words] == [16, 16]
    text = desk.ctl("get").out
    assert all(word not in text + told for word in words)
    assert maps_of_probe(desk) == {"a": [], "b": [(1, "ro")]}
    assert f'b: {{target: "{TARGET}", lun: 1, initiator: "{PROBE}", access: ro}}' in told
    lunmap, _ = parse_map(text)
    assert show_map(lunmap, ("initiators",)).partition(PROBE)[2].strip() in told


def test_more_luns_keep_the_password(desk: Desk) -> None:
    """Further Luns get numbers that the probe never had; only --new-password changes the access file."""
    desk.setup("a")
    before = desk.access.read_text()
    desk.ctl.apply(desk.map.replace("initiators: {", f"initiators: {{ {_probe_in_file(desk)}, "), wait=None)
    assert maps_of_probe(desk) == {"a": [], "b": []}
    desk.setup("b")
    assert maps_of_probe(desk) == {"a": [], "b": [(2, "ro")]}
    assert "nothing to change" in desk.setup("b")
    assert desk.access.read_text() == before
    desk.setup(more=("--new-password",))
    assert desk.access.read_text() != before


def test_passwords_that_are_not_committed_replace_none(desk: Desk) -> None:
    """A commit that is refused, as during a rollout, leaves the access file with the passwords of the map."""
    desk.setup("a")
    before = desk.access.read_text()
    desk.ctl("host", "set", HOST, "alias=tried", "--confirm-within", "1h")
    told = desk.setup(more=("--new-password",), expect=4)
    assert f"{desk.access} is as before; if the commit was made, move {desk.access}.new there" in told
    assert desk.access.read_text() == before


def _probe_in_file(desk: Desk) -> str:
    lunmap, _ = parse_map(desk.ctl("get").out)
    chap, mutual = lunmap.initiators[PROBE].chap, lunmap.initiators[PROBE].mutual_chap
    assert chap is not None
    assert mutual is not None
    return f'"{PROBE}": {{probe: true, chap: {{user: {chap.user}}}, mutual_chap: {{user: {mutual.user}}}}}'


def test_who_is_not_set_up(desk: Desk) -> None:
    """A host, an unknown Lun, and the file of another probe are refused, and nothing is committed."""
    assert "is a host: it lacks 'probe: true'" in desk.setup("a", iqn=HOST, expect=1)
    assert "the map has no Lun 'c'" in desk.setup("c", expect=1)
    desk.setup("a")
    assert f"belongs to {PROBE}" in desk.setup("a", iqn=OTHER, expect=7)
    assert desk.ctl("log").out.count("set up the probe") == 1


def test_the_result_for_programs(desk: Desk, portal: FakeTarget) -> None:
    """The JSON has portals, Luns, paths and findings; the exit code is 6."""
    desk.setup("a", "b")
    found = json.loads(desk.probe("-o", "json", expect=6))
    assert (found["revision"], found["newest"], found["initiator"]) == (2, 2, PROBE)
    assert found["behind"] == {"n1": None}
    assert [(item["node"], item["portal"], item["outcome"]) for item in found["portals"]] == [
        ("n1", portal.portal, "answers")
    ]
    assert found["luns"] == [
        {"lun": "a", "serving": 0, "intended": 1, "unknown": 0},
        {"lun": "b", "serving": 0, "intended": 1, "unknown": 0},
    ]
    assert [(path["lun"], path["reasons"]) for path in found["paths"]] == [
        ("a", ["LoginFailed"]),
        ("b", ["LoginFailed"]),
    ]
    assert {item["reason"] for item in found["findings"]} == {"NotListed", "LoginFailed"}


def test_the_result_for_people(desk: Desk, portal: FakeTarget) -> None:
    """Tables of portals and Luns, a line for each finding, and notes."""
    desk.setup("a")
    lines = desk.probe(HOST, expect=6).splitlines()
    assert lines[0].startswith("cluster ")
    assert f", revision 2, probed as {PROBE} in " in lines[0]
    rows = [line.split() for line in lines[1:8]]
    assert rows[1] == ["NODE", "PORTAL", "STATE", "MS"]
    assert rows[2][:3] == ["n1", portal.portal, "answers"]
    assert rows[4:6] == [["LUN", "PATHS", "SIZE", "NODES"], ["a", "0/1", "-", "n1", "LoginFailed"]]
    assert f"n1 {portal.portal} {TARGET}: LoginFailed: REPORT LUNS failed: BUSY" in lines
    assert "luns/b: NotMapped: it is not mapped to the probe: 'lunmapctl probe-setup' does that" in lines
    assert lines[-1] == "note: n1 has not applied revision 2"


def test_the_result_for_monitoring(desk: Desk) -> None:
    """One line with figures: CRITICAL for a Lun without a path, and for ZooKeeper; UNKNOWN for the rest."""
    desk.setup("a")
    line = desk.probe("-o", "plugin", expect=2)
    assert line.startswith("PROBE CRITICAL - n1 127.0.0.1:")
    assert "| portals=1 portals_answering=1 luns=1 luns_without_path=1 paths=1 paths_serving=0" in line
    assert line.count("\n") == 1
    assert "PROBE UNKNOWN - the map has no node 'n9'" in desk.probe("-o", "plugin", "--node", "n9", expect=3)
    settings = desk.access.with_name("lunmapd.yaml")
    settings.write_text("node: n1\nzookeeper: {hosts: [127.0.0.1:1], deadline: 1, session_timeout: 5}\n")
    away = Ctl(None, None, ("-c", str(settings)))
    told = away("probe", "--access", str(desk.access), "-o", "plugin", expect=2)
    assert told.out.startswith("PROBE CRITICAL - ")


def test_without_access(desk: Desk, portal: FakeTarget, tmp_path: Path) -> None:
    """Only portals are probed; a Lun can't be, and a file that is missing or open to others is refused."""
    told = desk.ctl("probe").out
    assert "probed as nobody: discovery only" in told
    assert portal.commands == []
    assert "only portals can be probed" in desk.ctl("probe", "a", expect=1).err
    assert "no such file" in desk.ctl("probe", "--access", str(tmp_path / "none"), expect=7).err
    desk.setup("a")
    desk.access.chmod(0o644)
    assert "chmod 0600 it" in desk.probe(expect=7)
    desk.access.chmod(0o600)
    desk.access.write_text("initiator: x\npasswort: y\n")
    assert "probe.yaml:2: passwort: unknown field; did you mean 'password'?" in desk.probe(expect=3)


def test_a_node_on_all_addresses(desk: Desk, portal: FakeTarget) -> None:
    """It is not probed, which is a finding, unless its address is given."""
    port = portal.portal.rpartition(":")[2]
    desk.ctl.apply(desk.map.replace(portal.portal, f"0.0.0.0:{port}"), wait=None)
    told = desk.ctl("probe", expect=6).out
    assert "n1: NotProbed: its portals are on all addresses, which the map does not have" in told
    assert f"n1    {portal.portal}" in desk.ctl("probe", "--portal", "n1=127.0.0.1").out
    assert "is not a portal" in desk.ctl("probe", "--portal", "n1=here", expect=2).err


def test_a_probe_that_the_map_does_not_have(desk: Desk) -> None:
    """After the probe was removed from the map, its file is refused with the remedy."""
    desk.setup("a")
    desk.ctl.apply(desk.map, wait=None)
    assert f"{PROBE} is not in the map; 'lunmapctl probe-setup' makes a probe" in desk.probe(expect=1)


def test_a_probe_never_gets_a_lun_to_write(desk: Desk) -> None:
    """A commit that maps a Lun to it without 'ro' is refused, with line and reason."""
    desk.setup("a")
    text = desk.ctl("get").out.replace("access: ro", "access: rw")
    told = desk.ctl.apply(text, wait=None, expect=3).err
    assert f"luns[a].maps[1]: '{PROBE}' is a probe, which may write nothing: use 'access: ro'" in told
