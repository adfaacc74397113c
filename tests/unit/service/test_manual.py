"""The manual pages are complete."""

import re
import runpy
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import get_args

import click
from msgspec import Struct
from msgspec.structs import fields

from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.service.ctl.cli import ctl
from lunmapd.service.daemon.main import daemon
from lunmapd.service.daemon.reload import LIVE
from lunmapd.service.settings import Settings, parse_settings

MAN = Path("packaging/man")
pages = runpy.run_path(str(MAN / "pages.py"))
page, clean = pages["page"], pages["clean"]


def keys(kind: type[Struct], above: str = "") -> Iterator[str]:
    """Yield the keys of the settings file, with dots."""
    for field in fields(kind):
        inner = [
            part
            for part in (field.type, *get_args(field.type))
            if isinstance(part, type) and issubclass(part, Struct)
        ]
        if inner:
            yield from keys(inner[0], f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}"


def test_every_setting_is_explained() -> None:
    """lunmapd.yaml(5) has each key of the settings, and marks those that a reload takes over."""
    text = page(MAN / "lunmapd.yaml.5.md")
    assert [key for key in keys(Settings) if f"`{key}`" not in text] == []
    assert set(re.findall(r"^`(\w+)` \(live\)$", text, re.MULTILINE)) == LIVE


def test_the_example_of_the_settings_is_valid() -> None:
    """The example of lunmapd.yaml(5) is a settings file with the three servers that it shows."""
    example = page(MAN / "lunmapd.yaml.5.md").partition("# EXAMPLES\n\n")[2].partition("\n# ")[0]
    assert len(parse_settings(cleandoc(example), "EXAMPLE").zookeeper.hosts) == 3


def test_no_line_of_a_page_is_lost() -> None:
    """A line with a quote at its start is text; there are no fonts and spaces that terminals don't have."""
    roff = ".SH A\n.PP\n\\fB\\fClunmapctl\\fR:\n'plan' shows it.\n\n.PP\nB\n.nf\n\n'x'\n.fi\n"
    assert clean(roff) == ".SH A\n\\fBlunmapctl\\fR:\n\\&'plan' shows it.\n.PP\nB\n.nf\n\n\\&'x'\n.fi\n"


def verbs(command: click.Command) -> list[str]:
    """Return the verbs of a group, none of any other command."""
    return command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []


def test_every_command_and_exit_code_is_explained() -> None:
    """lunmapctl(1) has each command with its options, and both pages of commands have each exit code."""
    text = page(MAN / "lunmapctl.1.md")
    assert [name for name in verbs(ctl) if not re.search(rf"^### {name}\b", text, re.MULTILINE)] == []
    assert "`-n, --dry-run`\n:   Show the changes" in text
    for name in daemon.commands:
        assert f"\n### {name}" in page(MAN / "lunmapd.8.md")
    for name in ("lunmapctl.1.md", "lunmapd.8.md"):
        assert [code for code in Exit if f"\n`{code}`\n:   " not in page(MAN / name)] == []


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all commands below it, with their words."""
    yield path, command
    context = click.Context(command)
    for name in verbs(command):
        below = command.get_command(context, name) if isinstance(command, click.Group) else None
        assert below is not None, f"{name} was listed"
        yield from commands(below, f"{path} {name}".strip())


def test_every_variable_is_explained() -> None:
    """The page lunmapctl(1) has each environment variable that replaces an option."""
    text = page(MAN / "lunmapctl.1.md").partition("# ENVIRONMENT")[2].partition("\n# ")[0]
    options = [option for _, command in commands(ctl) for option in command.params]
    names = {str(option.envvar) for option in options if option.envvar}
    assert "LUNMAPCTL_HOSTS" in names
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_every_command_that_may_be_degraded_is_named() -> None:
    """The table of exit codes names each command whose help has exit code 6."""
    (row,) = re.findall(r"^\| 6 \|.*$", Path("docs/exit-codes.md").read_text(), re.MULTILINE)
    found = [
        path
        for path, command in (*commands(ctl), *commands(daemon))
        if path and re.search(r"exit (code )?6", f"{command.help} {_helps(command)}", re.IGNORECASE)
    ]
    assert {"status", "plan", "adopt", "acl show"} <= set(found)
    assert [path for path in found if not re.search(rf"`(\w+ )?{path}\b[^`]*`", row)] == []


def _helps(command: click.Command) -> str:
    return " ".join(getattr(option, "help", None) or "" for option in command.params)


def test_every_field_of_the_map_is_explained() -> None:
    """lunmap(5) has each field of each kind of object, and no table, which a terminal is too narrow for."""
    text = page(MAN / "lunmap.5.md")
    missing = [
        (section, field.name)
        for section, kind in SECTIONS.items()
        for field in fields(kind)
        if f"`{field.name}`" not in text
    ]
    assert missing == []
    assert not re.search(r"^\|", text, re.MULTILINE)


def test_nothing_is_left_to_be_filled_in() -> None:
    """Every page has what belongs into it."""
    for source in MAN.glob("*.md"):
        assert not re.search(r"@[A-Z]+@", page(source)), source


def test_each_definition_has_a_text() -> None:
    """No page lists an option or a field without an explanation."""
    for source in MAN.glob("*.md"):
        assert not re.search(r"^: *$", page(source), re.MULTILINE), source
