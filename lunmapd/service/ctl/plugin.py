"""What the verbs for monitoring systems share: the one line and the exit code."""

import sys
from enum import IntEnum
from typing import NoReturn

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.service.output import echo


class Level(IntEnum):
    """Exit codes of the Monitoring Plugins Development Guidelines."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def end_with(service: str, level: Level, text: str, figures: str = "") -> NoReturn:
    """Print the line and exit with the level; a bar in the text would begin performance data."""
    data = f" | {figures}" if figures else ""
    try:
        echo(f"{service} {level.name} - {text.replace('|', '/')}{data}")
    except OSError:
        level = Level.UNKNOWN  # the line is lost, and the level alone says too little
    sys.exit(level)


def end_with_error(service: str, error: LunmapdError) -> NoReturn:
    """End with the error of a command: CRITICAL if ZooKeeper does not answer, else UNKNOWN."""
    level = Level.CRITICAL if error.exit_code == Exit.UNREACHABLE else Level.UNKNOWN
    end_with(service, level, "; ".join(error.lines))
