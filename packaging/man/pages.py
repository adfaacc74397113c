#!/usr/bin/python3
"""Make the manual pages: `pages.py DIRECTORY`.

The pages beside this file are text for people, in Markdown. `@OPTIONS@`, `@COMMANDS@`, `@EXAMPLES@`,
`@EXITS@` and `@MAP@` in them stand for the text of the commands, docs/exit-codes.md and docs/map.md, so that
it stays true.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path

import click

from lunmapd import __version__
from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.start.examples import EXAMPLES
from lunmapd.service.daemon.main import daemon

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
COMMANDS: dict[str, click.Command] = {"lunmapctl": ctl, "lunmapd": daemon}


def page(source: Path) -> str:
    """Return the Markdown of a page with all that belongs into it."""
    text = source.read_text()
    for mark, lines in _parts(source.name.partition(".")[0]).items():
        text = text.replace(f"@{mark}@", "\n".join(lines).strip())
    return text


def _parts(name: str) -> dict[str, Iterable[str]]:
    parts: dict[str, Iterable[str]] = {"VERSION": [__version__], "EXITS": _exits(), "MAP": _map()}
    if name in COMMANDS:
        context = _context(COMMANDS[name], name)
        parts |= {"OPTIONS": _options(context), "COMMANDS": _commands(context)}
    if name == "lunmapctl":
        parts["EXAMPLES"] = [f"    lunmapctl {line}" for line in EXAMPLES[""]]
    return parts


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(command, parent, info_name=name, **command.context_settings)


def _commands(context: click.Context) -> Iterator[str]:
    """Describe every command below a group, those of groups within it too.

    A group that is a command of its own, such as `plan`, only repeats commands that are described elsewhere.
    """
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} was listed"
        below = _context(command, name, context)
        is_group = isinstance(command, click.Group) and not command.invoke_without_command
        yield from _commands(below) if is_group else _command(below)


def _command(context: click.Context) -> Iterator[str]:
    usage = " ".join((context.command_path, *context.command.collect_usage_pieces(context)))
    yield from (f"### {context.command_path.partition(' ')[2]}", "", f"`{usage}`", "")
    yield from (_escaped(cleandoc(context.command.help or "")), "")
    yield from _options(context)
    if lines := EXAMPLES.get(context.command_path.partition(" ")[2]):
        yield from ("Examples:", "", *(f"    lunmapctl {line}" for line in lines), "")


def _options(context: click.Context) -> Iterator[str]:
    # Arguments are in the usage; newer releases of click list them too, without a text.
    options = (item for item in context.command.get_params(context) if isinstance(item, click.Option))
    for parameter in options:
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (f"`{record[0]}`", f":   {_escaped(record[1])}", "")


def _exits() -> Iterator[str]:
    """Turn the table of exit codes into definitions, without the column that says what to do."""
    for line in (DOCS / "exit-codes.md").read_text().splitlines():
        if re.match(r"\| \d", line):
            code, meaning, _ = _cells(line)
            yield from (f"`{code}`", f":   {meaning[0].upper()}{meaning[1:]}.", "")


def _map() -> Iterator[str]:
    """Yield docs/map.md: sections one level higher, no links, definitions for its wide tables."""
    whole = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", (DOCS / "map.md").read_text())
    _, *lines = whole.splitlines()
    header: list[str] = []
    for line in lines:
        text = line.removeprefix("#")
        if not text.startswith("|"):
            header = []
            yield text
        elif not header:
            _, *header = _cells(text)
        elif not text.startswith("|-"):
            yield from _row(header, _cells(text))


def _row(header: list[str], cells: list[str]) -> Iterator[str]:
    term, *rest = cells
    labels = [f"{label}: " for label in header] if len(rest) > 1 else [""]
    told = "; ".join(f"{label}{cell}" for label, cell in zip(labels, rest, strict=True) if cell)
    yield from ("", term, f":   {told}")


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def _escaped(text: str) -> str:
    return re.sub(r"([\\*`_<\[])", r"\\\1", text)


def clean(roff: str) -> str:
    r"""Return a page of go-md2man without what formatters drop, warn of, or show as a second empty line.

    A line that begins with a quote would be a request (groff(7), "Control lines"), \fC is no font of a
    terminal, and an empty line is one more space than that of .PP.
    """
    text = re.sub(r"^'", r"\\&'", roff.replace(r"\fC", ""), flags=re.MULTILINE)
    lines, is_example = list[str](), False
    for line in text.splitlines():
        is_example = (is_example or line == ".nf") and line != ".fi"
        if line or is_example:
            lines.append(line)
    return re.sub(r"^(\.S[HS] .*)\n\.PP$", r"\1", "\n".join([*lines, ""]), flags=re.MULTILINE)


def main(directory: Path) -> None:
    """Write every page."""
    directory.mkdir(parents=True, exist_ok=True)
    for source in sorted(HERE.glob("*.md")):
        done = subprocess.run(["go-md2man"], input=page(source), capture_output=True, text=True, check=True)
        (directory / source.stem).write_text(clean(done.stdout))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
