"""Durations on the command line: a number of seconds, or with a unit such as `10m`."""

import re
from collections.abc import Callable

import click

_DURATION = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(least: int, most: int) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """Return the callback of an option that takes a duration as `90`, `90s`, `10m`, `2h` or `1d`.

    It returns whole seconds, from `least` to `most`.
    """

    def parse(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        match = _DURATION.fullmatch(value)
        if match is None:
            raise click.BadParameter(
                f"{value!r} is not a duration: write it as 90s, 10m or 2h", context, option
            )
        seconds = int(match[1]) * _UNITS[match[2]]
        if not least <= seconds <= most:
            raise click.BadParameter(f"{value} is not from {least} s to {most} s", context, option)
        return seconds

    return parse
