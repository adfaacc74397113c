"""The debug log of a pass: how many steps were done, and what is not as desired, by reason."""

import logging
from collections import defaultdict

from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.events import Event
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.trace import trace, tracing

_log = logging.getLogger(__name__)


def trace_result(revision: int, result: PassResult) -> None:
    """Log the result of a pass in at most two lines, for any number of objects."""
    if not tracing(_log):
        return
    done = sum(report.failure is None for report in result.done)
    failing, remaining = len(result.failures), len(result.left)
    trace(_log, Event.RECONCILED, revision=revision, done=done, failing=failing, remaining=remaining)
    if result.failures:
        trace(_log, Event.WITHHELD, count=failing, reasons=_by_reason(result))


def _by_reason(result: PassResult) -> str:
    """Return the number of objects and the first few for each reason."""
    objects: dict[str, list[str]] = defaultdict(list)
    for key, failure in result.failures.items():
        objects[failure.reason].append(lio_objects.show_key(key))
    return "; ".join(
        f"{reason} {len(objects[reason])}: {first_of(sorted(objects[reason]), 3)}"
        for reason in sorted(objects)
    )
