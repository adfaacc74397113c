"""What the agent says in the log: each trouble once for as long as it stays the same, and its end."""

import logging
from collections.abc import Iterable, Mapping

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import Condition
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.impact import Disruptions
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Disruption

_log = logging.getLogger(__name__)


def log_outcome(report: StepOutcome, revision: int, noticed: Disruptions) -> StepOutcome:
    """Log one line for each change that was made; failures stay, so the loop says them once."""
    if report.failure is None:
        step, name = report.step, lio_objects.key_of(report.step.item)
        effect = noticed.get((step.action, name), Disruption.NONE).word
        extra = journal_fields(
            Message.REPAIRED if step.drift else Message.CHANGED,
            revision=revision,
            object=lio_objects.show_key(name),
            action=step.action,
            reason=step.reason,
            disruption=effect,
        )
        repairs = ", repairs drift" if step.drift else ""
        _log.info("%s (%s%s)", step, effect.replace("-", " "), repairs, extra=extra)
    return report


class TransitionLog:
    """Remembers what was said."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._conditions: dict[str, tuple[bool, str, str]] = {}
        self._failures: dict[lio_objects.Key, Failure] = {}
        self._troubles: dict[Message, str] = {}

    def conditions(self, conditions: Iterable[Condition]) -> None:
        """Say each condition that changed."""
        for entry in conditions:
            now = entry.status, entry.reason, entry.message
            if self._conditions.get(entry.type) != now:
                _say(entry)
            self._conditions[entry.type] = now

    def failures(self, failures: Mapping[lio_objects.Key, Failure]) -> None:
        """Say which objects fail, and which do no more."""
        causes = {name: failure for name, failure in failures.items() if failure.reason != Reason.WAITING}
        for name in self._failures.keys() - causes.keys():
            shown = lio_objects.show_key(name)
            _log.info("%s no longer fails", shown, extra=journal_fields(Message.RECOVERED, object=shown))
        for name, failure in causes.items():
            if self._failures.get(name) != failure:
                _warn(lio_objects.show_key(name), failure)
        self._failures = causes

    def keyless(self, error: LunmapdError | None) -> None:
        """Say that the key file can't be used."""
        self._trouble(Message.KEYS_UNUSABLE, "the key file is not used: %s", error)

    def forgetful(self, error: LunmapdError | None) -> None:
        """Say that a restart will not know what was seen."""
        self._trouble(Message.SEEN_UNWRITTEN, "%s", error)

    def unwritten(self, error: LunmapdError | None) -> None:
        """Say that the status could not be written."""
        self._trouble(Message.STATUS_UNWRITTEN, "the status was not written: %s", error)

    def _trouble(self, message: Message, sentence: str, error: LunmapdError | None) -> None:
        text = "" if error is None else str(error)
        if text and text != self._troubles.get(message):
            _log.warning(sentence, text, extra=journal_fields(message))
        self._troubles[message] = text


def _say(entry: Condition) -> None:
    level, message = (
        (logging.INFO, Message.CONDITION_GOOD) if entry.status else (logging.WARNING, Message.CONDITION_BAD)
    )
    extra = journal_fields(message, condition=entry.type, reason=entry.reason)
    _log.log(level, "%s=%s, %s: %s", entry.type, entry.status, entry.reason, entry.message, extra=extra)


def _warn(shown: str, failure: Failure) -> None:
    extra = journal_fields(Message.FAILING, object=shown, reason=failure.reason)
    _log.warning("%s fails: %s: %s", shown, failure.reason, failure.message, extra=extra)
