"""`lunmapctl convert`, without ZooKeeper and without a settings file."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.wait import PATIENCE
from lunmapd.core.map.mapfile import parse_map
from support.foreign_files import CRM, H1, IQN, PASSWORD, ceph_document
from support.preloaded import run_lunmapctl
from support.saveconfigs import HOST, A, acl, saved, target


class Ended(NamedTuple):
    """How the command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr


def convert(*arguments: object) -> Ended:
    """Run the command where there is no settings file."""
    words = ["--config", "/nonexistent", "convert", *map(str, arguments)]
    return Ended(*run_lunmapctl(words, None, PATIENCE))


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    """Return a gateway.conf."""
    file = tmp_path / "gateway.conf"
    file.write_text(json.dumps(ceph_document(11)))
    return file


def test_the_map_is_on_standard_output(gateway: Path) -> None:
    """Standard output is a map file, and standard error the report, neither with a password."""
    done = convert(gateway, "--size", "rbd.disk_1=10GiB")
    assert done.exit_code == 6
    lunmap, _ = parse_map(done.stdout)
    assert lunmap.luns["rbd.disk_1"].size == 10 << 30
    assert "lost: " in done.stderr
    assert f"carried: {gateway}: disks.rbd/disk_1: luns[rbd.disk_1]" in done.stderr
    assert PASSWORD not in done.output


def test_what_a_map_says_wholly_exits_with_0(tmp_path: Path) -> None:
    """Without a loss and without a broken rule the exit code is 0."""
    file = tmp_path / "saveconfig.json"
    file.write_text(
        json.dumps(
            saved(target(A, {1: "block/db1"}, acl(HOST, (1, 1))), storage=saved()["storage_objects"][:1])
        )
    )
    done = convert(f"n1={file}")
    assert (done.exit_code, done.stderr.count("lost")) == (0, 0)
    assert parse_map(done.stdout)[0].nodes.keys() == {"n1"}


def test_json_has_map_report_and_moves(tmp_path: Path) -> None:
    """With -o json all parts are one document, with the moves of nodes that can't keep their tags."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps(saved(target(A, {1: "block/db1"}, acl(HOST, (1, 1))))))
    done = convert("-o", "json", f"n1={tmp_path / 'a'}", f"n2={tmp_path / 'b'}")
    shown = json.loads(done.stdout)
    assert set(shown) == {"map", "report", "problems", "moves"}
    assert [(move["node"], move["disruption"]) for move in shown["moves"]] == [
        ("n1", "none"),
        ("n2", "session-drop"),
    ]
    assert done.exit_code == 6  # both nodes listen on 0.0.0.0
    text = convert(f"n1={tmp_path / 'a'}", f"n2={tmp_path / 'b'}").stderr
    assert "2. n2: make its targets anew (disruption: session-drop)" in text
    assert "to mend before 'lunmapctl apply': " in text


def test_choices_are_options(tmp_path: Path) -> None:
    """Addresses of nodes, initiators and the format come from options."""
    file = tmp_path / "text"
    file.write_text(CRM.replace(f'allowed_initiators="{H1}', f'x="{H1}'))
    done = convert(file, "--from", "pacemaker", "--portal", "n2=10.0.0.2", "--initiator", H1)
    lunmap, _ = parse_map(done.stdout)
    assert lunmap.nodes["n2"].portals == ("10.0.0.2:3260",)
    assert [entry.initiator for entry in lunmap.luns["lun1"].maps] == [H1]
    assert IQN in lunmap.targets


def test_there_is_never_an_empty_map(tmp_path: Path) -> None:
    """A file without a target gives no map, but the reasons, and exit code 6."""
    file = tmp_path / "crm"
    file.write_text("node n1\nprimitive a ocf:heartbeat:iSCSITarget params iqn=x implementation=tgt\n")
    done = convert("--from", "pacemaker", file)
    assert done.stdout == ""
    assert "a is served by tgt" in done.stderr
    assert done.exit_code == 6


@pytest.mark.parametrize(
    "arguments",
    [("--size", "a=x", "f"), ("--size", "a", "f"), ("--portal", "n1", "f"), ("--from", "x", "f"), ()],
)
def test_wrong_options_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    """A malformed option, or no file, exits with 2."""
    assert convert(*arguments).exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"hello"])
def test_a_file_that_cannot_be_read_is_invalid(tmp_path: Path, content: bytes | None) -> None:
    """A missing file, one that is no text, and one of no format are errors with exit code 3."""
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    assert convert(file).exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--krbd",), "--krbd is for files of ceph-iscsi"),
        (("--initiator", H1), "the files have none"),
        (("--size", "lun9=1GiB"), "no Lun of this name"),
    ],
)
def test_an_option_without_effect_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    """A misspelt name or an option of another format would be ignored otherwise; nothing is printed."""
    file = tmp_path / "crm"
    file.write_text(CRM)
    done = convert(*arguments, file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert text in done.stderr.replace("\n", " ")


def test_options_of_a_cluster_are_wrong_for_other_files(gateway: Path) -> None:
    """All that have no effect are named at once."""
    done = convert("--node", "n1", "--portal", "n1=10.0.0.1", f"n1={gateway}", "--size", "rbd.disk_1=1GiB")
    assert done.exit_code == 2
    assert "--portal and --node are for files of Pacemaker" in done.stderr
    assert "for a saveconfig.json alone" in done.stderr
    assert "rbd.disk_1" not in done.stderr
