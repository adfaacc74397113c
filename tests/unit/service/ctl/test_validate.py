"""lunmapctl validate: its outputs and exit codes, and the examples of docs/validate.md."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.backup import BACKUP_FORMAT, BACKUP_FORMAT_NUMBER, Backup, Title, write_backup
from lunmapd.core.map.fill_in import fill_in
from lunmapd.core.map.mapfile import parse_map
from lunmapd.service.ctl.cli import ctl

EXAMPLE = Path("config/lunmap.yaml").read_text()
BAD = EXAMPLE.replace("access: ro", "access: readonly").replace("tpg_tag: 2", "tpg_tagg: 2")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", Path("docs/validate.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a map file, the example."""
    path = tmp_path / "map.yaml"
    path.write_text(EXAMPLE)
    return path


def run(*args: object, stdin: str = "", code: int = 0) -> Result:
    """Run it, with --config naming no file: it needs none."""
    done = CliRunner().invoke(ctl, ["--config", "/nowhere", "validate", *map(str, args)], input=stdin)
    assert done.exit_code == code, done.output
    return done


def test_a_valid_file_is_named(file: Path) -> None:
    """Of several files each is named, and warnings are no mistakes."""
    assert run(file, "config/lunmap.yaml").output == f"{file}: valid\nconfig/lunmap.yaml: valid\n"
    file.write_text(EXAMPLE.replace("lun: 1,", "lun: 300,"))
    assert "warning: luns[logs].maps[0].lun: 300 is above 255" in run(file).output


def test_each_mistake_is_a_line_with_file_line_and_field(file: Path) -> None:
    """The exit code is 3 if any file has one."""
    file.write_text(BAD)
    assert run(file, "config/lunmap.yaml", code=3).output.splitlines() == [
        f"{file}:25: error: luns[logs].maps[0].access: 'readonly' is none of rw, ro",
        f"{file}:60: error: nodes[n2].tpg_tagg: unknown field; did you mean 'tpg_tag'?",
        "config/lunmap.yaml: valid",
    ]


def test_a_program_reads_json() -> None:
    """Each remark has severity, file, line, place and message; standard input is a file too."""
    found: dict[str, Any] = json.loads(run("-o", "json", "-", stdin=BAD, code=3).output)
    (report,) = found["files"]
    assert (report["file"], report["valid"]) == ("<stdin>", False)
    assert report["remarks"][0] == {
        "severity": "error",
        "file": "<stdin>",
        "line": 25,
        "place": "luns[logs].maps[0].access",
        "message": "'readonly' is none of rw, ro",
    }


def test_equal_mistakes_are_one_line_for_people(file: Path) -> None:
    """Of two hundred Luns at a wrong target, of each file; programs get all of them."""
    lun = "{{backing: {{type: block, path: /dev/{0}}}, maps: [{{target: iqn.2026-01.org.example:none, initiator: iqn.2026-01.org.example:h, lun: {0}}}]}}"
    luns = "".join(f"  l{number}: {lun.format(number)}\n" for number in range(200))
    file.write_text(f"luns:\n{luns}initiators: {{iqn.2026-01.org.example:h: {{}}}}\n")
    other = file.with_name("other.yaml")
    other.write_text(file.read_text())
    lines = run(file, other, code=3).output.splitlines()
    end = "(199 more such: luns[l1].maps[0].target, luns[l2].maps[0].target, luns[l3].maps[0].target and 196 more)"
    mistake = "error: luns[l0].maps[0].target: there is no target 'iqn.2026-01.org.example:none'"
    assert lines == [f"{file}:2: {mistake} {end}", f"{other}:2: {mistake} {end}"]
    assert len(json.loads(run("-o", "json", file, code=3).output)["files"][0]["remarks"]) == 200
    assert len(run("-o", "github", file, code=3).output.splitlines()) == 200


def test_annotations_escape_what_would_end_them(file: Path) -> None:
    """A colon or comma in file or place, and a percent sign or line end in a message."""
    file = file.rename(file.with_name("a,b.yaml"))
    file.write_text('luns: {"a:b": {backing: {type: block, path: "/dev/a%\\n"}}}')
    (line,) = [
        each for each in run("-o", "github", file, code=3).output.splitlines() if "usable path" in each
    ]
    assert line.startswith(
        f"::error file={str(file).replace(',', '%2C')},line=1,title=luns[a%3Ab].backing.path::"
    )
    assert "/dev/a%25" in line


def test_files_that_are_no_map(file: Path, tmp_path: Path) -> None:
    """Bytes that are no text are a mistake without a line; a missing file is wrong usage."""
    file.write_bytes(b"luns: \xff")
    assert f"{file}: error: (top level): not UTF-8" in run(file, code=3).output
    assert f"::error file={file},title=" in run("-o", "github", file, code=3).output
    run(tmp_path / "none", code=2)
    run(code=2)


def test_the_map_before_is_a_file_or_a_backup(file: Path, tmp_path: Path) -> None:
    """A Lun that shrinks is a mistake in comparison with either."""
    lunmap = fill_in(parse_map(EXAMPLE)[0], Lunmap(), lambda: "")
    znodes = {f"{section}/{name}": encode(document) for section, name, document in lunmap.documents()}
    title = Title(BACKUP_FORMAT, BACKUP_FORMAT_NUMBER, "c", 1, "t", "v")
    backup = tmp_path / "backup"
    backup.write_bytes(b"".join(write_backup(Backup(title, {"meta": b"{}", **znodes}))))
    file.write_text(EXAMPLE.replace("64MiB", "32MiB"))
    for former in ("config/lunmap.yaml", backup):
        assert "luns[scratch].size: a Lun can't shrink" in run("--against", former, file, code=3).output
        assert run("--against", former, "config/lunmap.yaml").exit_code == 0


@pytest.mark.parametrize("block", [yaml.safe_load(block) for block in BLOCKS], ids=["workflow", "hook"])
def test_the_examples_accept_a_good_file_and_refuse_a_bad_one(block: dict[str, Any], file: Path) -> None:
    """The commands of the workflow and of the hook run as they are."""
    if "repos" in block:
        (hook,) = block["repos"][0]["hooks"]
        assert re.search(hook["files"], file.name)
        commands = [f"{hook['entry']} {file.name}"]
    else:
        commands = [step["run"] for step in block["jobs"]["validate"]["steps"] if "run" in step]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for text, status in ((EXAMPLE, 0), (BAD, 3)):
        file.write_text(text)
        for command in commands:
            shell = ["sh", "-ec", command]
            done = subprocess.run(
                shell, cwd=file.parent, env={"PATH": path}, capture_output=True, check=False
            )
            assert done.returncode == status
