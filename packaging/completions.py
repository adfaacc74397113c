#!/usr/bin/python3
"""Write the completions of both commands for bash, zsh and fish: `completions.py DIRECTORY`."""

import sys
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.daemon.main import daemon

COMMANDS: dict[str, click.Command] = {"lunmapctl": ctl, "lunmapd": daemon}
# The names by which the shells find them.
FILES = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}


_ADDS = "COMPREPLY+=($value)"
_ADDS_FIELD = f"{_ADDS}\n            [[ $value == *= ]] && compopt -o nospace"
"""In bash a field is completed up to its =, and its value follows without a space."""


def script(name: str, shell: str) -> str:
    """Return the completion script of a command for a shell, as click makes it but for fields in bash."""
    kind = get_completion_class(shell)
    assert kind is not None, f"click knows {shell}"
    made = kind(COMMANDS[name], {}, name, f"_{name.upper()}_COMPLETE").source()
    assert shell != "bash" or _ADDS in made, "click adds completions so"
    return made.replace(_ADDS, _ADDS_FIELD)


def main(directory: Path) -> None:
    """Write all of them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in COMMANDS:
        for shell, file in FILES.items():
            (directory / file.format(name)).write_text(script(name, shell))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
