"""What the two command lines have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lunmapd import __version__
from lunmapd.service.settings import DEFAULT_SETTINGS_FILE

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT = {"help_option_names": ["-h", "--help"]}

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)


def version_option(program: str) -> Callable[[F], F]:
    """Make the option that prints the version."""
    return click.version_option(__version__, prog_name=program)


def config_option(text: str) -> Callable[[F], F]:
    """Make the option that names the settings file; `text` is its help."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        default=DEFAULT_SETTINGS_FILE,
        show_default=True,
        help=text,
    )
