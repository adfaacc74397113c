"""Files that know the revision that they were made from: two admins lose none of their changes."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lunmapd.core.map.file_base import FileBase, base_line
from support.cluster import Answer, Ctl

EXAMPLE = Path("config/lunmap.yaml").read_text()
CTL = Path(sys.executable).with_name("lunmapctl")
HOST = "iqn.2026-01.org.example:host1"


@dataclass
class Admin:
    """An admin with a file of the map."""

    name: str
    ctl: Ctl
    file: Path

    def get(self, *part: str) -> None:
        """Make the file from the newest map, or from a part of it."""
        self.file.write_text(self.ctl("get", *part, "-o", "yaml").out)

    def change(self, old: str, new: str) -> None:
        """Edit the file."""
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new, 1))

    def apply(self, *options: str, expect: int = 0) -> Answer:
        """Commit the file."""
        return self.ctl("apply", "-f", str(self.file), "--author", self.name, *options, expect=expect)


@pytest.fixture
def admins(ctl: Ctl, tmp_path: Path) -> tuple[Admin, Admin]:
    """Return two admins, each with a file of revision 1, the example."""
    ctl.apply(EXAMPLE, wait=None)
    ann, bob = (Admin(name, ctl, tmp_path / f"{name}.yaml") for name in ("ann", "bob"))
    ann.get()
    bob.get()
    return ann, bob


def newest(ctl: Ctl) -> dict[str, Any]:
    """Return the newest map."""
    found: dict[str, Any] = json.loads(ctl("get", "-o", "json").out)
    return found


def test_two_admins_lose_nothing(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """Different fields of one object are merged; the same field is a conflict with who, what and revision."""
    ann, bob = admins
    ann.change("alias: database host", "alias: db host")
    ann.change("access: ro", "access: rw")
    assert "committed revision 2\n" in ann.apply().out
    bob.change("is_nonrot: 1", "is_nonrot: 0")
    made = bob.apply()
    assert made.out.startswith("~ luns/logs\n    attributes.is_nonrot: 1 -> 0\n")
    assert made.out.endswith("committed revision 3\n")
    assert "it lacks what others committed since revision 1" in made.err
    assert newest(ctl)["initiators"][HOST] == {"alias": "db host"}
    bob.change("alias: database host", "alias: the host")
    answer = bob.apply(expect=4)
    assert answer.err.splitlines() == [
        "lunmapctl: nothing was committed: the file was made from revision 1, and the same fields were changed since:",
        f'lunmapctl: initiators/{HOST}: alias: "database host" -> "db host" (by ann in revision 2)',
        "lunmapctl: --theirs keeps these, --mine commits the values of the file; 'lunmapctl get' has the newest map",
    ]
    assert "nothing to change" in bob.apply("--theirs").out
    assert bob.apply("--mine").out.endswith("committed revision 4\n")
    assert newest(ctl)["initiators"][HOST] == {"alias": "the host"}
    assert newest(ctl)["luns"]["logs"]["maps"][0].get("access", "rw") == "rw"


def test_a_removal_and_a_change_of_one_object_clash(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """The message has the change that would be lost, or that the object was removed."""
    ann, bob = admins
    ctl("lun", "delete", "scratch", "--unmap", "--yes", "--author", "eve")
    ann.change("size: 64MiB", "size: 65MiB")
    assert "luns/scratch: was removed (by eve in revision 2)" in ann.apply(expect=4).err
    ctl("host", "set", "host1", "alias=new", "--author", "eve")
    bob.change(f"  {HOST}:\n    alias: database host\n", "")
    change = 'alias: "database host" -> "new"; the object would be removed (by eve in revision 3)'
    assert f"initiators/{HOST}: {change}" in bob.apply(expect=4).err


def test_a_base_that_was_trimmed_is_refused(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """The file can't be merged any more: a new one is needed, or it replaces the map."""
    ann, _ = admins
    for alias in ("a", "b"):
        ctl("host", "set", "host1", f"alias={alias}")
    ctl("trim", "--keep", "1")
    told = ann.apply(expect=1).err
    assert "the file was made from revision 1, and the oldest one kept is 3; make a new one" in told


def test_problems_of_a_merged_file_name_its_base(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """A host that the file lacks may be one to which others have mapped a Lun since."""
    ann, bob = admins
    ctl("host", "add", f"{HOST}0")
    ann.get()
    ctl("map", "db1", f"{HOST}0")
    ann.change(f"  {HOST}0: {{}}\n", "")
    told = ann.apply(expect=3).err
    assert "the file is checked with what others committed since revision 2: see 'lunmapctl diff 2..'" in told
    assert f"there is no initiator '{HOST}0'" in told
    bob.get()
    bob.change("access: ro", "access: wo")
    assert "others committed" not in bob.apply(expect=3).err


def test_a_file_can_be_edited_and_applied_again_and_again(admins: tuple[Admin, Admin]) -> None:
    """After a commit its first line names the new revision, and nothing else of it changes."""
    ann, _ = admins
    ann.file.chmod(0o640)
    for revision, alias in ((2, "a"), (3, "b"), (4, "a")):
        text = ann.file.read_text()
        ann.file.write_text(text.replace("alias: database host", "alias: a").replace("alias: b", "alias: a"))
        ann.change("alias: a", f"alias: {alias}")
        edited = ann.file.read_text()
        assert ann.apply().out.endswith(f"committed revision {revision}\n")
        assert ann.file.read_text() == edited.replace(f"revision {revision - 1}", f"revision {revision}")
    assert ann.file.stat().st_mode & 0o777 == 0o640


def test_a_password_survives_a_file_that_never_had_it(
    admins: tuple[Admin, Admin], ctl: Ctl, tmp_path: Path
) -> None:
    """It was set after the file was made; the file still changes another field of that initiator."""
    _, bob = admins
    key = str(tmp_path / "key")
    ctl("secret", "--key-file", key, "new-key")
    ctl("secret", "--key-file", key, "set", "--user", "u", "--force", HOST, stdin="a secret of 16 c\n")
    bob.change("alias: database host", "alias: the host")
    bob.apply()
    host = newest(ctl)["initiators"][HOST]
    assert (host["alias"], host["chap"]["user"]) == ("the host", "u")


def test_a_file_without_a_base_may_not_undo_commits(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """A script is refused with who, what and revision; new values, --base and --replace are accepted."""
    ann, bob = admins
    ann.change("alias: database host", "alias: db host")
    ann.change("  scratch:\n", "  more:\n    backing: {type: block, path: /dev/vg0/more}\n  scratch:\n")
    ann.apply()
    bob.file.write_text(EXAMPLE.replace("is_nonrot: 1", "is_nonrot: 0"))
    answer = bob.apply(expect=4)
    assert answer.err.splitlines()[1:3] == [
        f"lunmapctl: initiators/{HOST} (alias): revision 2 by ann",
        "lunmapctl: luns/more: revision 2 by ann",
    ]
    dry = bob.apply("--dry-run")
    assert "warning: luns/more: revision 2 by ann" in dry.err
    assert bob.apply("--base", "1").out.endswith("committed revision 3\n")
    assert newest(ctl)["initiators"][HOST] == {"alias": "db host"}
    bob.file.write_text(ctl("get").out.partition("\n")[2].replace("alias: db host", "alias: my host"))
    assert bob.apply().out.endswith("committed revision 4\n")
    assert bob.apply("--replace", "--base", "1", expect=2).out == ""
    bob.file.write_text(EXAMPLE)
    assert bob.apply("--replace").out.endswith("committed revision 5\n")
    assert "more" not in newest(ctl)["luns"]


def test_a_file_of_a_part_changes_only_that_part(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """A Lun is edited by itself, all else stays; without it in the file it is removed."""
    ann, _ = admins
    ann.get("luns", "logs")
    ann.change("is_nonrot: 1", "is_nonrot: 0")
    assert ann.apply().out.splitlines()[0] == "~ luns/logs"
    assert sorted(newest(ctl)["luns"]) == ["db1", "logs", "scratch"]
    ann.file.write_text(ann.file.read_text().splitlines()[0])
    assert ann.apply("--yes").out.startswith("- luns/logs\n")
    assert sorted(newest(ctl)["luns"]) == ["db1", "scratch"]


def test_a_file_of_another_cluster_is_refused(admins: tuple[Admin, Admin], ctl: Ctl) -> None:
    """So is one of a former incarnation, and one of a revision that is not there yet."""
    ann, _ = admins
    line, _, rest = ann.file.read_text().partition("\n")
    cluster = line.split()[2]
    for base, message in (
        (FileBase(1, "other"), f"the file was made from cluster other, and this is {cluster}"),
        (FileBase(1, cluster, 3), "from incarnation 3 of this cluster, and the tree was restored since"),
    ):
        ann.file.write_text(f"{base_line(base)}\n{rest}")
        assert message in ann.apply(expect=4).err
    ann.file.write_text(f"{base_line(FileBase(9, cluster))}\n{rest}")
    assert "there is no revision 9" in ann.apply(expect=1).err
    ann.file.write_text(json.dumps(newest(ctl) | {"base": {"revision": 1, "cluster": "other"}}))
    assert "the file was made from cluster other" in ann.apply(expect=4).err


def test_the_map_is_edited_in_an_editor(
    admins: tuple[Admin, Admin], ctl: Ctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others commit while the editor is open stays, and an unchanged text commits nothing."""
    ann, _ = admins
    ann.change("alias: database host", "alias: db host")
    editor = tmp_path / "editor"
    editor.write_text(
        f"#!/bin/sh\n{CTL} --hosts {ctl.hosts} --chroot {ctl.chroot} apply -f {ann.file} >&2 || exit 1\n"
        "sed -i 's/is_nonrot: 1/is_nonrot: 0/' \"$1\"\n"
    )
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    made = ctl("edit", "luns", "logs", "-m", "capitals")
    assert made.out.startswith("~ luns/logs\n    attributes.is_nonrot: 1 -> 0\n")
    assert made.out.endswith("committed revision 3\n")
    assert newest(ctl)["initiators"][HOST] == {"alias": "db host"}
    monkeypatch.setenv("VISUAL", "true")
    assert ctl("edit").out == "nothing was edited, and nothing committed\n"
    assert "the map has no 'x' among its luns" in ctl("edit", "luns", "x", expect=1).err


@pytest.mark.parametrize(("answer", "status", "revision"), [("y", 0, 3), ("n", 4, 2)])
def test_on_a_terminal_it_asks(
    admins: tuple[Admin, Admin], ctl: Ctl, answer: str, status: int, revision: int
) -> None:
    """The admin sees whose change a file without a base undoes, and decides."""
    ann, bob = admins
    ann.change("alias: database host", "alias: db host")
    ann.apply()
    bob.file.write_text(EXAMPLE)
    ours, theirs = pty.openpty()
    words = (str(CTL), "--hosts", str(ctl.hosts), "--chroot", str(ctl.chroot), "apply", "-f", str(bob.file))
    with subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs) as run:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        err = _shown(ours)
    os.close(ours)
    assert f"warning: initiators/{HOST} (alias): revision 2 by ann" in err
    assert "Commit the file all the same? [y/N]" in err
    assert "a bug of lunmapd" not in err
    assert (run.returncode, newest(ctl)["base"]["revision"]) == (status, revision)


def _shown(terminal: int) -> str:
    """Return what a program writes to its terminal, once it has ended: the read then fails with EIO."""
    text = b""
    with suppress(OSError):
        while more := os.read(terminal, 4096):
            text += more
    return text.decode()
