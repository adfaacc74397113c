"""The common parts of the two command lines: options, and the exit code of an error.

Only click is imported here, so that `--version` and `--help` start fast.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from lunmapd import __version__
from lunmapd.core.base.root_error import Exit, LunmapdError

_F = TypeVar("_F", bound=Callable[..., Any])

DEFAULT_SETTINGS_FILE = Path("/etc/lunmapd/lunmapd.yaml")

_FRAMES = 8

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


def examples_text(program: str, lines: Sequence[str]) -> str:
    """Return examples as the end of a help text; the mark at its begin keeps click from wrapping them."""
    return "\n".join(("\b", "Examples:", *(f"  {program} {line}" for line in lines)))


class OutputError(LunmapdError):
    """The output can't be written. The message says what was done before."""


def run_command(program: str, command: click.Command) -> NoReturn:
    """Run a command and exit with its code. An error is printed in lines, never as a traceback."""
    _open_streams()
    try:
        code = command.main(prog_name=program, standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except click.ClickException as error:
        code = error.exit_code
        with suppress(OSError):
            error.show()
    except BaseException as error:  # noqa: BLE001 - people are to read a sentence
        code, lines = _explain(error)
        _print_lines(program, lines)
    if not _is_flushed():
        code = code or Exit.FAILED
    sys.exit(code)


def _open_streams() -> None:
    """Open the standard streams that were closed at the start: they have no input, and drop their output.

    Otherwise the next file or connection would get the number of one of them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - they stay open


def describe_os_error(error: OSError) -> str:
    """Return a sentence of an error that no command expects, as of an output on a full disk."""
    place = f" ({error.filename})" if error.filename else ""
    return f"can't read or write: {error.strerror or error}{place}"


def _explain(error: BaseException) -> tuple[int, Sequence[str]]:
    """Return the exit code and the message of an error."""
    cause = error.__cause__ or error.__context__ if isinstance(error, click.Abort) else error
    match cause:
        case LunmapdError():
            return int(cause.exit_code), cause.lines
        case KeyboardInterrupt():
            return Exit.INTERRUPTED, [str(cause) or "interrupted"]
        case EOFError():
            return Exit.FAILED, ["the input ended too early"]
        case OSError():
            return Exit.FAILED, [describe_os_error(cause)]
        case _:
            return Exit.FAILED, [*_describe_bug(error)]


def _describe_bug(error: BaseException) -> Iterator[str]:
    """Yield an error that nothing expects, and its innermost frames."""
    from traceback import extract_tb  # noqa: PLC0415 - nothing else needs it

    yield f"{type(error).__name__}: {error}: a bug of lunmapd or of a library; please report these lines"
    for frame in extract_tb(error.__traceback__)[-_FRAMES:]:
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"


def _print_lines(program: str, lines: Sequence[str]) -> None:
    from lunmapd.service.output import echo  # noqa: PLC0415 - without an error nothing needs its libraries

    with suppress(OSError):
        echo(*(f"{program}: {line}" for line in lines), err=True)


def _is_flushed() -> bool:
    """Flush the output; what can't be written is dropped, or Python would try and complain at its end."""
    flushed = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            flushed = False
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return flushed
