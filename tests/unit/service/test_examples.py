"""Each command has examples in its help and in its manual page."""

import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.start.examples import EXAMPLES
from lunmapd.service.daemon.main import daemon

page = runpy.run_path("packaging/man/pages.py")["page"]


def commands(command: click.Command, words: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with their words; what follows `plan` is described elsewhere."""
    yield words, command
    if isinstance(command, click.Group) and not (words and command.invoke_without_command):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, f"{name} was listed"
            yield from commands(below, f"{words} {name}".strip())


COMMANDS = dict(commands(ctl))


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_each_help_ends_with_examples_and_cuts_no_summary(words: str) -> None:
    """In 80 columns each example is one line, which begins with the words of the command."""
    command = COMMANDS[words]
    is_leaf = not isinstance(command, click.Group) or bool(words and command.invoke_without_command)
    lines = EXAMPLES.get(words, ())
    assert bool(lines) == (is_leaf or not words), f"give {words!r} examples in start/examples.py"
    assert all(shlex.split(line)[: len(words.split())] == words.split() for line in lines)
    shown = CliRunner().invoke(ctl, [*words.split(), "--help"], terminal_width=80, env={"COLUMNS": "80"})
    text = shown.output.splitlines()
    assert "  Examples:" in text
    assert [line for line in lines if f"    lunmapctl {line}" not in text] == []
    assert [line for line in text if len(line) > 80 or (line.endswith("...") and "Usage" not in line)] == []


@pytest.mark.parametrize("words", ["", "plan", "adopt"])
def test_each_example_of_the_daemon_is_taken_by_its_parser(words: str) -> None:
    """They are at the end of its help too."""
    text = CliRunner().invoke(daemon, [*words.split(), "--help"], terminal_width=80).output
    lines = text.partition("Examples:\n")[2].splitlines()
    assert lines
    for line in lines:
        given = shlex.split(line.partition(">")[0])
        assert given[0] == "lunmapd"
        daemon.make_context("lunmapd", given[1:], resilient_parsing=True)


def test_no_example_is_of_an_unknown_command() -> None:
    """A command that is renamed takes its examples along."""
    assert EXAMPLES.keys() - COMMANDS.keys() == set()


def test_the_help_has_the_verbs_under_headings() -> None:
    """Each verb is in one of the lists for looking, changing, nodes and upkeep."""
    text = CliRunner().invoke(ctl, ["--help"], terminal_width=80).output
    places = [text.index(f"\n{heading}:\n") for heading in ("Look", "Change", "Nodes", "Upkeep")]
    assert places == sorted(places)
    assert text.index("\n  status ") < text.index("\n  apply ") < text.index("\n  forget ")


@pytest.mark.parametrize("words", ["", "lun create", "status"])
def test_help_is_a_command_too(words: str) -> None:
    """It prints what --help prints; of an unknown command it says so."""
    run = CliRunner().invoke
    assert run(ctl, ["help", *words.split()]).output == run(ctl, [*words.split(), "--help"]).output
    assert "there is no command 'lun x'" in run(ctl, ["help", "lun", "x"]).output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["version"], "did you mean '--version'?"),
        (["plan", "map.yaml"], "did you mean '-f map.yaml'?"),
        (["get", "db1"], "the name of an object follows its section"),
        (["get", "lunz"], "did you mean 'lun"),
        (["apply"], "name one FILE"),
        (["show", "db1"], "'lunmapctl log --object db1' has those of an object"),
        (["show", "0"], "'0' is not a revision"),
        (["diff", "a", "b"], "is not a span of revisions"),
        (["get", "-o", "csv"], "name a SECTION with -o csv"),
        (["get", "luns", "-o", "yaml", "--sort", "size"], "leave one of them out"),
    ],
)
def test_a_slip_is_answered_with_what_is_meant(words: list[str], hint: str) -> None:
    """It is wrong usage, and needs no ZooKeeper to be found."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", *words])
    assert (done.exit_code, hint in done.output) == (2, True)


@pytest.mark.parametrize("source", sorted(Path("packaging/man").glob("*.md")), ids=str)
def test_each_manual_page_has_examples_of_known_commands(source: Path) -> None:
    """Each line of the section that begins with one of the programs is taken by its parser."""
    text = page(source).partition("\n# EXAMPLES\n")[2].partition("\n# ")[0]
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("    ")]
    assert lines
    for program, *words in lines:
        if program in {"lunmapctl", "lunmapd"}:
            command = ctl if program == "lunmapctl" else daemon
            command.make_context(program, list(words), resilient_parsing=True)
