"""How the command lines end: errors that were raised on purpose are printed, and give the exit code."""

import sys

import click

from lunmapd.core.base.errors import LunmapdError


def reported(program: str, command: click.Command) -> None:
    """Run a command and exit with its code; print lunmapd's own errors one line each, never as a traceback."""
    try:
        command.main(prog_name=program)
    except LunmapdError as error:
        for line in str(error).splitlines():
            click.echo(f"{program}: {line}", err=True)
        sys.exit(error.exit_code)
