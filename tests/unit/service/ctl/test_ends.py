"""How lunmapctl ends: each verb with its exit code and a line for each error, and without a traceback."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import pytest

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.start.verbs import EDITS, VERBS
from lunmapd.service.keyfile import add_key
from support.agents import NOWHERE
from support.preloaded import ERROR_LINE, call_lunmapctl, text_of

SECONDS = 60.0

ARGS: dict[str, list[str]] = {
    "acl grant": ["reader", "sasl:bob"],
    "acl revoke": ["reader", "sasl:bob"],
    "acl show": [],
    "acl whoami": [],
    "apply": ["-f", "map.yaml"],
    "backup": ["new.backup"],
    "check": [],
    "confirm": [],
    "convert": ["lio.json"],
    "diff": ["1..2"],
    "drain": ["n1"],
    "edit": [],
    "explain": ["iqn.2026-01.org.example:h"],
    "export": ["n1"],
    "float create": ["iqn.2026-01.org.example:t", "gold", "10.0.1.9"],
    "float delete": ["t", "gold"],
    "float list": [],
    "float move": ["iqn.2026-01.org.example:t", "gold"],
    "float set": ["t", "gold", "failback=manual"],
    "forget": ["n1"],
    "get": [],
    "group add": ["web", "h"],
    "group create": ["web"],
    "group delete": ["web"],
    "group remove": ["web", "h"],
    "group set": ["web", "alias=w"],
    "help": [],
    "host add": ["iqn.2026-01.org.example:h"],
    "host remove": ["h"],
    "host rename": ["h", "iqn.2026-01.org.example:g"],
    "host set": ["h", "alias=db"],
    "import undo": [],
    "init": [],
    "log": [],
    "lun create": ["db1", "/dev/vg0/db1"],
    "lun delete": ["db1"],
    "lun grow": ["db1", "2GiB"],
    "lun rename": ["db1", "db2"],
    "lun set": ["db1", "size=2GiB"],
    "map": ["db1", "h"],
    "migrate": [],
    "node add": ["n4"],
    "node remove": ["n1"],
    "node set": ["n1", "labels.rack=r1"],
    "override": ["path-loss", "--for", "60"],
    "plan": ["-f", "map.yaml"],
    "probe": [],
    "probe-setup": ["iqn.2026-01.org.example:probe", "--access", "access.yaml"],
    "repair": [],
    "restore": ["whole.backup"],
    "retire": ["n1"],
    "revert": ["1"],
    "rollback": ["1"],
    "rollout abort": [],
    "rollout continue": [],
    "rollout show": [],
    "schema": [],
    "secret clear": ["iqn.2026-01.org.example:h"],
    "secret import": ["-"],
    "secret list": [],
    "secret new-key": [],
    "secret rotate": [],
    "secret set": ["iqn.2026-01.org.example:h", "--user", "h"],
    "secret set-discovery": ["n1", "--user", "h"],
    "serve": ["--listen", "127.0.0.1:0"],
    "show": ["1"],
    "status": [],
    "target create": ["iqn.2026-01.org.example:san"],
    "target delete": ["san"],
    "target set": ["san", "alias=s"],
    "trim": [],
    "undrain": ["n1"],
    "unmap": ["db1", "h"],
    "validate": ["map.yaml"],
}
"""Right arguments for each verb."""

COMMITS = {
    "apply", "confirm", "edit", "import undo", "migrate", "override", "plan", "repair", "rollback",
    *(f"secret {word}" for word in ("clear", "import", "rotate", "set", "set-discovery")),
    "rollout abort", "rollout continue",
    *({verb for verb in ARGS if verb.partition(" ")[0] in EDITS} - {"float list", "float move"}),
}  # fmt: skip
"""The verbs that state at an interrupt that nothing was committed, before they read the tree."""

EARLIER = {"check": 2, "convert": 3, "help": 0, "restore": 3, "schema": 0, "secret new-key": 0, "validate": 0}
"""What a verb ends with that asks no server, or has read no usable file; 2 is CRITICAL."""

SILENT = {"help", "schema", "secret new-key", "validate"}

ENDLESS = {"serve"}
"""Without a server it serves a page that states so (test_serve.py)."""

PLUGIN_LINE = re.compile(r"LUNMAP (OK|WARNING|CRITICAL|UNKNOWN) - .+\n")


def command_at(words: str) -> click.Command:
    """Return the command of a verb."""
    found: click.Command = ctl
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word) or pytest.fail(f"no verb {words}")
    return found


def verbs() -> Iterator[str]:
    """Yield each verb, with the word of its group; `plan` is a verb that others can follow."""
    for name in VERBS:
        command = command_at(name)
        if isinstance(command, click.Group) and not command.invoke_without_command:
            yield from (f"{name} {word}" for word in command.commands)
        else:
            yield name


def test_each_verb_is_tried() -> None:
    """The table has each verb of the program, also a new one."""
    assert set(verbs()) == set(ARGS)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the files that the verbs name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.yaml").write_text("{}\n")
    (tmp_path / "whole.backup").write_text("")
    (tmp_path / "lio.json").write_text("{}")
    add_key(tmp_path / "a.key", bytes(32))


Streams = tuple[IO[bytes], IO[bytes], IO[bytes]]


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[Streams]:
    """Give standard input with a password, and files for both outputs."""
    (tmp_path / "in").write_text("a long password\n")
    with (
        (tmp_path / "in").open("rb") as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        yield given, out, err


def words_of(verb: str, hosts: str, deadline: float) -> list[str]:
    """Return the arguments of a verb for an ensemble."""
    Path("settings.yaml").write_text(
        f"zookeeper: {{hosts: ['{hosts}'], deadline: {deadline}}}\nkey_file: {Path.cwd()}/no.key\n"
    )
    group, _, word = verb.partition(" ")
    options = ["--key-file", "a.key"] if group == "secret" else []
    return ["-c", "settings.yaml", group, *options, *([word] if word else []), *ARGS[verb]]


@pytest.mark.parametrize("verb", sorted(ARGS.keys() - ENDLESS))
def test_a_server_that_is_away_is_an_error_in_a_line(verb: str, streams: Streams) -> None:
    """Exit code 5, or what the verb ends with before it asks a server; 2 (CRITICAL) of the plugin."""
    code = call_lunmapctl(words_of(verb, NOWHERE, 0.2), streams, SECONDS)
    assert code == EARLIER.get(verb, 5)
    out, err = text_of(streams[1]), text_of(streams[2])
    if verb == "check":
        assert (PLUGIN_LINE.fullmatch(out) is not None, err) == (True, "")
    else:
        assert (err == "") if verb in SILENT else ERROR_LINE.fullmatch(err), err


@pytest.mark.parametrize("verb", sorted(ARGS.keys() - EARLIER.keys() - ENDLESS | {"check"}))
def test_an_interrupt_is_a_line(verb: str, streams: Streams) -> None:
    """Ctrl-C while a silent server is waited for: exit code 130, and what is known of the commit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        port = silent.getsockname()[1]

        def interrupt(pid: int) -> None:
            with silent.accept()[0]:
                os.kill(pid, signal.SIGINT)
            silent.close()

        code = call_lunmapctl(words_of(verb, f"127.0.0.1:{port}", 30.0), streams, SECONDS, interrupt)
    assert (code, text_of(streams[1])) == (130, "")
    line = text_of(streams[2]).removeprefix("\n")  # click ends the line of "^C"
    assert line in {"lunmapctl: interrupted\n", "lunmapctl: interrupted; nothing was committed\n"}
    assert "nothing was committed" in line or verb not in COMMITS


@pytest.mark.parametrize("verb", ["", *ARGS])
def test_an_output_on_a_full_disk_is_an_error_in_a_line(verb: str, streams: Streams) -> None:
    """With exit code 1."""
    with Path("/dev/full").open("wb", 0) as full:
        code = call_lunmapctl([*verb.split(), "--help"], (streams[0], full, streams[2]), SECONDS)
        assert (code, text_of(streams[2])) == (1, "lunmapctl: can't read or write: No space left on device\n")


@pytest.mark.parametrize(("verb", "expected"), [("get", 5), ("check", 3), ("secret new-key", 1)])
def test_two_outputs_on_a_full_disk_end_as_said(verb: str, expected: int, streams: Streams) -> None:
    """An error keeps its exit code though it can't be printed; a plugin that can't report is UNKNOWN."""
    with Path("/dev/full").open("wb", 0) as full:
        assert call_lunmapctl(words_of(verb, NOWHERE, 0.2), (streams[0], full, full), SECONDS) == expected


@pytest.mark.parametrize("verb", ["", *ARGS])
def test_a_closed_pipe_ends_in_silence(verb: str, streams: Streams) -> None:
    """As of `lunmapctl log | head`: exit code 1, and nothing on standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", 0) as pipe:
        code = call_lunmapctl([*verb.split(), "--help"], (streams[0], pipe, streams[2]), SECONDS)
    assert (code, text_of(streams[2])) == (1, "")


@pytest.mark.parametrize("streams_closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(streams_closed: str) -> None:
    """As under some supervisors: no input and lost output, but the same end."""
    program = f"{sys.executable} -c 'from lunmapd.service.ctl import main; main()'"
    for words, expected in (("validate map.yaml", 0), ("secret --key-file a.key set t --user h", 1)):
        done = subprocess.run(
            ["sh", "-c", f"{program} {words} {streams_closed}"],
            input="",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected
        assert "bug" not in done.stderr
