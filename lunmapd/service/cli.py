"""The common parts of the two command lines: options, and the exit code of an error.

Only click is imported here, so that `--version` and `--help` start fast.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lunmapd import __version__
from lunmapd.core.base.root_error import LunmapdError

_F = TypeVar("_F", bound=Callable[..., Any])

DEFAULT_SETTINGS_FILE = Path("/etc/lunmapd/lunmapd.yaml")

CONTEXT = {"help_option_names": ["-h", "--help"]}

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)


def version_option(program: str) -> Callable[[_F], _F]:
    """Return the option that prints the version."""
    return click.version_option(__version__, prog_name=program)


def config_option(text: str) -> Callable[[_F], _F]:
    """Return the option for the settings file; `text` is its help."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default=DEFAULT_SETTINGS_FILE,
        show_default=True,
        help=text,
    )


def run_command(program: str, command: click.Command) -> None:
    """Run a command and exit with its code. Each line of a LunmapdError is printed, without a traceback."""
    try:
        command.main(prog_name=program)
    except LunmapdError as error:
        from lunmapd.service.output import echo  # noqa: PLC0415 - without an error nothing needs its libraries

        echo(*(f"{program}: {line}" for line in error.lines), err=True)
        sys.exit(error.exit_code)
