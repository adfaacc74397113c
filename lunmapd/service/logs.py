"""Where log lines go: to the journal when systemd started us, otherwise to standard error."""

import logging
import os
import sys

from systemd.journal import JournalHandler

_QUIET = ("kazoo",)


def set_up(level: str) -> None:
    """Send records of `level` and above to the journal or to standard error."""
    handler: logging.Handler
    if "JOURNAL_STREAM" in os.environ:
        handler = JournalHandler(SYSLOG_IDENTIFIER="lunmapd")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
