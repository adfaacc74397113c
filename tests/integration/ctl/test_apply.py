"""lunmapctl on a real ZooKeeper: output, exit codes, and that a refused file changes nothing."""

import json
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from lab import Ensemble
from support.cluster import Ctl

EXAMPLE = Path("config/lunmap.yaml").read_text()


def test_init_twice_is_a_conflict(ctl: Ctl) -> None:
    """A second init is refused with exit code 4 and names the cluster that is there."""
    answer = ctl("init", expect=4)
    assert "already holds the map of cluster" in answer.err


def test_the_example_is_applied_once(ctl: Ctl) -> None:
    """The example makes revision 1; applying it again, or what `get` prints, makes none."""
    first = ctl("apply", "-f", "config/lunmap.yaml")
    assert "\ncommitted revision 1\n" in first.out
    assert "+ luns/db1" in first.out
    assert ctl.apply(EXAMPLE, wait=None).out == "nothing to change: the map is at revision 1\n"
    assert ctl.apply(ctl("get").out, wait=None).out == "nothing to change: the map is at revision 1\n"


def test_an_edit_around_the_tools_is_taken_in(ctl: Ctl, ensemble: Ensemble, root: str) -> None:
    """After an out-of-band edit the next apply records a revision, and the one after it has nothing to do."""
    ctl.apply(EXAMPLE, wait=None)
    client = KazooClient(ensemble.hosts)
    client.start(30)
    path = f"{root}/luns/db1"
    client.set(path, client.get(path)[0] + b" ")
    client.stop()
    client.close()
    assert "committed revision 2\n" in ctl.apply(EXAMPLE, wait=None).out
    assert ctl.apply(EXAMPLE, wait=None).out == "nothing to change: the map is at revision 2\n"


def test_a_change_names_object_and_field(ctl: Ctl) -> None:
    """An edit is shown by object and field, a dry run commits nothing, and -o json has the same content."""
    ctl.apply(EXAMPLE, wait=None)
    changed = EXAMPLE.replace("access: ro", "access: rw").replace("alias: database host", "alias: db")
    dry = ctl("apply", "-f", "-", "--dry-run", stdin=changed)
    assert dry.out.splitlines()[:4] == [
        "~ luns/logs",
        "    maps: host1 LUN 1 at san, ro -> rw",
        "~ initiators/iqn.2026-01.org.example:host1",
        '    alias: "database host" -> "db"',
    ]
    assert "\nnothing was committed (dry run)\n" in dry.out
    made = json.loads(ctl("apply", "-f", "-", "-o", "json", stdin=changed).out)
    assert made["revision"] == 2
    assert made["changes"][1] == {
        "path": "initiators/iqn.2026-01.org.example:host1",
        "kind": "changed",
        "fields": [{"field": "alias", "before": "database host", "after": "db"}],
    }


def test_a_revision_that_is_expected_must_be_there(ctl: Ctl) -> None:
    """A file that was made for one revision is not applied to another one."""
    ctl("apply", "-f", "-", "--expect-revision", "0", stdin=EXAMPLE)
    changed = EXAMPLE.replace("alias: database host", "alias: db")
    answer = ctl("apply", "-f", "-", "--expect-revision", "0", stdin=changed, expect=4)
    assert "the map is at revision 1, expected was 0" in answer.err


def test_a_serial_that_is_left_out_is_given_once(ctl: Ctl) -> None:
    """A Lun without a serial gets one, and keeps it when the same file is applied again."""
    text = "luns:\n  a:\n    backing: {type: block, path: /dev/a}\n"
    ctl.apply(text, wait=None)
    serial = json.loads(ctl("get", "luns", "a", "-o", "json").out)["luns"]["a"]["serial"]
    assert len(serial) == 32
    assert ctl.apply(text, wait=None).out.startswith("nothing to change")


BAD = [
    ("luns: [", 3, "<stdin>:1: (top level): not valid YAML"),
    (
        EXAMPLE.replace("tpg_tag: 2", "tpg_tagg: 2"),
        3,
        "nodes[n2].tpg_tagg: unknown field; did you mean 'tpg_tag'?",
    ),
    (EXAMPLE.replace("org.example:host1:", "ORG:host1:"), 3, "write iSCSI names in lower case"),
    (EXAMPLE.replace("lun: 1,", "lun: 0,"), 3, "luns[logs].maps[0].lun: this LUN number is already taken"),
    (
        EXAMPLE.replace('target: "iqn.2026-01.org.example:scratch"', "target: nowhere"),
        3,
        "there is no target 'nowhere'",
    ),
]


@pytest.mark.parametrize(("text", "status", "message"), BAD, ids=[row[2] for row in BAD])
def test_bad_files_commit_nothing(ctl: Ctl, text: str, status: int, message: str) -> None:
    """Malformed YAML, unknown field, wrong IQN, duplicate LUN number, missing target: one error each."""
    answer = ctl.apply(text, wait=None, expect=status)
    assert message in answer.err
    assert answer.err.startswith("lunmapctl: <stdin>:")
    assert ctl.status()["revision"] == 0


def test_a_warning_does_not_keep_a_map_from_being_committed(ctl: Ctl) -> None:
    """A map with warnings is committed, and the warnings are on standard error with their lines."""
    answer = ctl.apply(EXAMPLE.replace("lun: 1,", "lun: 300,"), wait=None)
    assert "\ncommitted revision 1\n" in answer.out
    assert answer.err.startswith("lunmapctl: warning: <stdin>:")
    assert "luns[logs].maps[0].lun: 300 is above 255" in answer.err


def test_bytes_that_are_no_text_are_refused(ctl: Ctl, tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with its name."""
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"luns: \xff\xfe")
    assert f"{bad}: (top level): not UTF-8" in ctl("apply", "-f", str(bad), expect=3).err


def test_a_changed_serial_and_a_shrunken_lun_are_refused(ctl: Ctl) -> None:
    """Identity and size are kept, each with the line of the file."""
    ctl.apply(EXAMPLE, wait=None)
    answer = ctl.apply(EXAMPLE.replace("64MiB", "32MiB").replace("0001", "00a1"), wait=None, expect=3)
    assert "luns[scratch].size: a Lun can't shrink" in answer.err
    assert "to allow it: --shrink scratch" in answer.err
    assert "luns[db1].serial: a serial never changes" in answer.err


def test_a_lun_shrinks_when_somebody_insists(ctl: Ctl) -> None:
    """Only the Lun that is named may get smaller, and a rollback to a smaller size asks for the same."""
    ctl.apply(EXAMPLE, wait=None)
    smaller = EXAMPLE.replace("64MiB", "32MiB")
    assert ctl("apply", "-f", "-", "--shrink", "db1", stdin=smaller, expect=3).out == ""
    ctl("apply", "-f", "-", "--shrink", "scratch", "-m", "by the owner's wish", stdin=smaller)
    assert "size: 32MiB" in ctl("get").out
    ctl.apply(EXAMPLE, wait=None)
    assert "can't shrink" in ctl("rollback", "2", expect=3).err
    ctl("rollback", "2", "--shrink", "scratch")


def test_a_mapped_lun_gets_another_path_when_somebody_insists(ctl: Ctl) -> None:
    """Only the Lun that is named may change its path, also by a node's `devices` and by a rollback."""
    ctl.apply(EXAMPLE, wait=None)
    other = EXAMPLE.replace("/srv/scratch.img", "/srv/other.img")
    assert other != EXAMPLE
    answer = ctl.apply(other, wait=None, expect=3)
    assert answer.err.startswith("lunmapctl: <stdin>:")
    assert "luns[scratch].backing.path: on node n1 Lun scratch would change from" in answer.err
    assert ctl("apply", "-n", "-f", "-", "--rebacking", "db1", stdin=other, expect=3).out == ""
    ctl("apply", "-f", "-", "--rebacking", "scratch", "--rebacking", "db1", stdin=other)
    assert "other.img" in ctl("get").out
    rewriting = other.replace("{tpg_tag: 1,", "{tpg_tag: 1, devices: {/srv: /x},")
    answer = ctl.apply(rewriting, wait=None, expect=3)
    assert "nodes[n1].devices: on node n1 Lun scratch would change from /srv/other.img to /x" in answer.err
    ctl.apply(other.replace("{tpg_tag: 1,", "{tpg_tag: 1, devices: {/tmp: /x},"), wait=None)
    assert "--rebacking scratch" in ctl("rollback", "1", expect=3).err
    ctl("rollback", "1", "--rebacking", "scratch")


def test_get_prints_tables_and_objects(ctl: Ctl) -> None:
    """A section is a table with the WWID that initiators see, an object is YAML, a wrong name is an error."""
    ctl.apply(EXAMPLE, wait=None)
    table = ctl("get", "luns").out.splitlines()
    assert table[0].split() == ["LUN", "SIZE", "TYPE", "PATH", "WWID", "MAPS"]
    assert table[1].split() == ["db1", "-", "block", "/dev/vg0/db1", "360014053f1d6c1e00014f0b9f3e7a51c", "1"]
    assert "path: /dev/vg0/logs" in ctl("get", "luns", "logs").out
    assert "NUMBER" in ctl("get", "initiators").out
    assert "n1,n2,n3" in ctl("get", "targets").out
    assert "10.0.1.2:3260" in ctl("get", "nodes").out
    assert "the map has no 'x' among its luns" in ctl("get", "luns", "x", expect=1).err


def test_status_of_a_cluster_without_nodes_alive(ctl: Ctl) -> None:
    """Nodes that never registered are dead and pending, and the exit code is that of a degraded cluster."""
    ctl.apply(EXAMPLE, wait=None)
    answer = ctl("status", expect=6)
    assert [line.split()[:3] for line in answer.out.splitlines()[4:7]] == [
        [f"n{n}", "DEAD", "pending"] for n in (1, 2, 3)
    ]
    assert ctl.status()["nodes"]["n1"]["alive"] is False


def test_an_empty_cluster_is_well(ctl: Ctl) -> None:
    """With no nodes in the map there is nothing to be degraded."""
    assert "revision 0" in ctl("status").out


def test_without_a_tree_every_command_says_how_to_make_one(ensemble: Ensemble, root: str) -> None:
    """A missing tree is an error that names `lunmapctl init`."""
    for command in (["get"], ["status"], ["apply", "-f", "config/lunmap.yaml"]):
        assert "lunmapctl init" in Ctl(ensemble.hosts, root)(*command, expect=1).err


def test_an_unreachable_ensemble_is_exit_code_5() -> None:
    """Without a server the command ends within its deadline and names the servers."""
    answer = Ctl("127.0.0.1:1")("status", expect=5)
    assert "127.0.0.1:1" in answer.err
