"""The options of the verbs that need a password or the key file."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import click
from msgspec import Struct

key_file_option = click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    envvar="LUNMAPCTL_KEY_FILE",
    help="The key file.  [default: that of the settings]",
)


class PasswordSource(Struct, frozen=True):
    """Where the password comes from; without any of these it is asked for, or read from standard input."""

    file: Path | None = None
    generate: bool = False
    generate_to: Path | None = None

    def __bool__(self) -> bool:
        return self != PasswordSource()


def password_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the source of a password; the command receives them as `source`."""

    @click.option(
        "--password-file",
        "file",
        type=click.Path(path_type=Path),
        help="Read the password from the first line of this file, which only its owner may read.",
    )
    @click.option("--generate", is_flag=True, help="Generate it, and show it once, on a terminal only.")
    @click.option(
        "--generate-to",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Generate it, and write it to this new file of mode 600.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: object, file: Path | None, generate: bool, generate_to: Path | None, **rest: object
    ) -> None:
        if sum((file is not None, generate, generate_to is not None)) > 1:
            raise click.UsageError("use one of --password-file, --generate and --generate-to")
        if generate and not sys.stdout.isatty():
            raise click.UsageError("--generate shows the password on a terminal only: use --generate-to FILE")
        command(*args, source=PasswordSource(file, generate, generate_to), **rest)

    return wrapped
