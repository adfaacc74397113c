"""Logging of the daemon: to the journal when systemd started it, otherwise to standard error."""

import logging
import os
import sys

from systemd import journal

from lunmapd.core.base.text import printable


def set_up_logging(level: str, node: str) -> None:
    """Send records from `level` up to the journal, with the node's name as a field, or to standard error."""
    handler: logging.Handler
    if "JOURNAL_STREAM" in os.environ:
        handler = journal.JournalHandler(
            sender_function=_send, SYSLOG_IDENTIFIER="lunmapd", LUNMAPD_NODE=node
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_escape)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kazoo repeats what the conditions show, and logs whole requests at an error.
    debug = logging.getLogger().level <= logging.DEBUG
    logging.getLogger("kazoo").setLevel(logging.DEBUG if debug else logging.CRITICAL + 1)


def _escape(record: logging.LogRecord) -> bool:
    """Escape control characters: a message may quote what others wrote into the tree or into LIO."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True


def _send(message: str, /, **fields: object) -> None:
    """Send the upper-case fields only: the handler adds all attributes of a record, its arguments twice."""
    journal.send(message, **{name: fields[name] for name in fields if name.isupper() and name != "CODE_ARGS"})
