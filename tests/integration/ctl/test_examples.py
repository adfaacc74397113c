"""The examples of the help and of lunmapctl(1) do what they show."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click
import pytest

from lab import Ensemble
from lunmapd.core.base.documents import encode
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.service.ctl.cli import ctl as command
from lunmapd.service.ctl.start.examples import EXAMPLES
from lunmapd.service.ctl.start.verbs import VERBS
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from support.cluster import Answer, Ctl
from support.plain_client import PlainClient
from support.preloaded import ERROR_LINE

pytestmark = pytest.mark.integration

NODES = "    nodes: [n1, n2, n3]\n"
GROUP = "    floating: {gold: {tpg_tag: 1001, portals: [10.0.0.50], nodes: [n1, n2]}}\n"
EXAMPLE = Path("config/lunmap.yaml").read_text().replace(NODES, NODES + GROUP)
SECRET = f"{0:014}"
ENDLESS = {"status -w", "serve", "serve --listen 127.0.0.1:8080"}
"""They end by a key or Ctrl-C."""
ENDS = {
    "apply map.yaml --first n1 --confirm-within 10m": 6,
    "check": 2,
    "status": 6,
    "explain": 6,
    "drain": 6,
    "plan drain n1": 6,
    "float move san gold n2": 4,
    "import": 1,
    "probe": 6,
    "convert": 6,
    "rollout abort -m 'host1 lost a path'": 4,
    "rollout continue": 4,
}
"""Where no node lives, no portal answers, and nothing is to be undone or tried; all others end with 0."""


REFUSED = {
    "apply map.yaml --first n1 --confirm-within 10m",
    "float set pool gold failback=manual",
    "float move san gold n2",
    "float delete pool gold",
    "import undo",
    "rollout abort -m 'host1 lost a path'",
    "rollout continue",
}
"""They end before they print anything: no node lives, there is no such group, and nothing to undo or end."""
LOST = re.compile(
    r"lunmapctl: (revision \d+ is committed, but )?can't read or write: No space left on device\n"
)


@dataclass(frozen=True)
class Desk:
    """lunmapctl on a tree with the example map and a second host, in a directory with the files."""

    ctl: Ctl
    fresh: Ctl

    def run(self, line: str) -> Answer:
        """Run an example as a shell does, with its redirections."""
        words, given, out = _parse(line)
        expect = ENDS.get(line, ENDS.get(words[0], 0))
        answer = self._program(words)(*words, stdin=given, expect=expect)
        if out is not None:
            Path(out).write_text(answer.out)
        return answer

    def lose(self, line: str, out: IO[bytes]) -> Answer:
        """Run an example with a standard output that takes nothing."""
        words, given, _ = _parse(line)
        return self._program(words).write_to(out, *words, stdin=given)

    def _program(self, words: list[str]) -> Ctl:
        return self.fresh if words[0] in {"init", "restore"} else self.ctl


def _parse(line: str) -> tuple[list[str], str | None, str | None]:
    """Return the words of a line, the text of its standard input, and the file of its output."""
    words = shlex.split(line)
    given = out = None
    if ">" in words:
        *words, _, out = words
    if "<" in words:
        *words, _, given = words
    return words, None if given is None else Path(given).read_text(), out


@pytest.fixture
def desk(session: Session, ensemble: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give the tree, and every file that an example reads."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"EDITOR": "true", "LUNMAPCTL_KEY_FILE": str(tmp_path / "keys")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VISUAL", raising=False)
    ctl = Ctl(session.hosts, session.root)
    ctl.apply(EXAMPLE, wait=None)
    ctl("host", "add", "iqn.2026-01.org.example:host2")
    Path("map.yaml").write_text(ctl("get").out.replace("alias: database host", "alias: db host"))
    ctl("secret", "new-key")
    ctl("backup", "lunmap.backup")
    ctl("export", "n1", "--file", "saveconfig.json", expect=None)
    for name in ("ann.password", "find.chap", "h1.chap"):
        Path(name).write_text(f"{SECRET}\n")
        Path(name).chmod(0o600)
    Path("passwords.csv").write_text(f"initiator,user,password\nhost1,db,{SECRET}\n")
    Path("passwords.csv").chmod(0o600)
    with PlainClient(session) as shell:
        shell.create(paths.member_of("n4"), b"")
        shell.create(paths.status_of("n4"), encode(NodeStatus("b", "1", "2026-01-01T00:00:00Z")))
    return Desk(ctl, Ctl(ensemble.hosts, f"{session.root}/fresh"))


def lines_of(verb: str) -> Iterator[str]:
    """Yield the examples of a verb, and of the words of its group, that end by themselves."""
    for words, lines in EXAMPLES.items():
        if words.split()[:1] == [verb]:
            yield from (line for line in lines if line not in ENDLESS)


@pytest.mark.parametrize("line", sorted(ENDLESS))
def test_an_endless_example_has_right_words(line: str) -> None:
    """It is not run."""
    command.make_context("lunmapctl", shlex.split(line), resilient_parsing=True)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_example_works_as_it_is_printed(desk: Desk, verb: str) -> None:
    """On the map of config/ with one host more, one after the other, without a question."""
    for line in lines_of(verb):
        desk.run(line)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_lost_output_is_an_error_in_a_line(desk: Desk, verb: str) -> None:
    """On a full disk, and in a closed pipe, which needs no line; after a commit the line has its revision."""
    for line in lines_of(verb):
        reading, writing = os.pipe()
        os.close(reading)
        with Path("/dev/full").open("wb", 0) as full, os.fdopen(writing, "wb", 0) as pipe:
            on_disk, in_pipe = desk.lose(line, full), desk.lose(line, pipe)
        assert 0 not in {on_disk.status, in_pipe.status}, line
        assert LOST.fullmatch(on_disk.err) or line in REFUSED or verb == "check", on_disk.err
        assert all(ERROR_LINE.fullmatch(each.err) or not each.err for each in (on_disk, in_pipe)), in_pipe.err


def test_an_example_of_the_programs_own_help_is_that_of_a_command() -> None:
    """They are run as such, so that they need no test of their own."""
    known = {line for words, lines in EXAMPLES.items() if words for line in lines}
    assert [line for line in EXAMPLES[""] if line not in known] == []


def test_only_a_command_that_ends_by_itself_is_run() -> None:
    """What is not run is an example of the page, or of a command with an option to watch."""
    assert all(line in EXAMPLES["status"] + EXAMPLES["serve"] for line in ENDLESS)
    assert isinstance(command, click.Group)
