"""The log of transitions: each problem once when it starts or changes, and once when it ends."""

import logging
from collections.abc import Iterable, Mapping

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import Condition
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.refused_logins import RefusedLogins, describe_refused
from lunmapd.core.planning.impact import Disruptions
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.reservations import find_ended, find_restored

_log = logging.getLogger(__name__)


def log_outcome(outcome: StepOutcome, revision: int, disruptions: Disruptions) -> StepOutcome:
    """Log a step that was executed. TransitionLog logs failures, because they may last for many passes."""
    if outcome.failure is None:
        step, key = outcome.step, lio_objects.key_of(outcome.step.item)
        disruption = disruptions.get((step.action, key), Disruption.NONE).word
        extra = journal_fields(
            Message.REPAIRED if step.drift else Message.CHANGED,
            revision=revision,
            object=lio_objects.show_key(key),
            action=step.action,
            reason=step.reason,
            disruption=disruption,
        )
        repairs = ", repairs drift" if step.drift else ""
        _log.info("%s (%s%s)", step, disruption.replace("-", " "), repairs, extra=extra)
    return outcome


def log_ended(before: Observed, outcomes: Iterable[StepOutcome]) -> None:
    """Log the persistent reservations that ended because a pass removed their mapped LUNs."""
    for record in find_ended(before, outcomes):
        extra = journal_fields(Message.RESERVATION_ENDED, lun=record.storage_object)
        _log.warning("reservation ended, since its mapped LUN was removed: %s", record, extra=extra)


def log_restored(before: Observed, after: Observed) -> None:
    """Log the persistent reservations that a pass has restored from the disk."""
    for record in find_restored(before, after):
        extra = journal_fields(Message.RESERVATION_RESTORED, lun=record.storage_object)
        _log.info("reservation restored from disk: %s", record, extra=extra)


class TransitionLog:
    """Remembers what was logged last, so that only changes are logged."""

    def __init__(self) -> None:
        """Start with nothing logged."""
        self._conditions: dict[str, tuple[bool, str, str]] = {}
        self._failures: dict[lio_objects.Key, Failure] = {}
        self._problems: dict[Message, str] = {}
        self._refused: dict[tuple[str, str], RefusedLogins] = {}

    def conditions(self, conditions: Iterable[Condition]) -> None:
        """Log each condition that changed."""
        for entry in conditions:
            now = entry.status, entry.reason, entry.message
            if self._conditions.get(entry.type) != now:
                _log_condition(entry)
            self._conditions[entry.type] = now

    def failures(self, failures: Mapping[lio_objects.Key, Failure]) -> None:
        """Log which objects fail, and which no longer do."""
        causes = {key: failure for key, failure in failures.items() if failure.reason != Reason.WAITING}
        for key in self._failures.keys() - causes.keys():
            shown = lio_objects.show_key(key)
            _log.info("%s no longer fails", shown, extra=journal_fields(Message.RECOVERED, object=shown))
        for key, failure in causes.items():
            if self._failures.get(key) != failure:
                _log_failure(lio_objects.show_key(key), failure)
        self._failures = causes

    def refusals(self, refused: Iterable[RefusedLogins]) -> None:
        """Log refused logins: when the first is found, when the host is another one, and when they end."""
        now = {(entry.target, entry.cause): entry for entry in refused}
        for key, entry in now.items():
            before = self._refused.get(key)
            if before is None or (before.initiator, before.address) != (entry.initiator, entry.address):
                _log_refused(entry)
        for target, cause in self._refused.keys() - now.keys():
            extra = journal_fields(Message.LOGINS_NOT_REFUSED, target=target, cause=cause)
            _log.info("%s has refused no login for its %s lately", target, cause, extra=extra)
        self._refused = now

    def keys_unusable(self, error: LunmapdError | None) -> None:
        """Log that the key file can't be used; None: it can."""
        self._log_problem(Message.KEYS_UNUSABLE, "the key file is not used: %s", error)

    def seen_unwritten(self, error: LunmapdError | None) -> None:
        """Log that the seen file can't be written, so a restart does not recognise drift. None: it can."""
        self._log_problem(Message.SEEN_UNWRITTEN, "%s", error)

    def status_unwritten(self, error: LunmapdError | None) -> None:
        """Log that the status could not be written; None: it was."""
        self._log_problem(Message.STATUS_UNWRITTEN, "the status was not written: %s", error)

    def _log_problem(self, message: Message, sentence: str, error: LunmapdError | None) -> None:
        text = "" if error is None else str(error)
        if text and text != self._problems.get(message):
            _log.warning(sentence, text, extra=journal_fields(message))
        self._problems[message] = text


def _log_refused(entry: RefusedLogins) -> None:
    extra = journal_fields(
        Message.LOGIN_REFUSED,
        target=entry.target,
        cause=entry.cause,
        initiator=entry.initiator,
        address=entry.address,
    )
    _log.warning("%s", describe_refused(entry), extra=extra)


def _log_condition(entry: Condition) -> None:
    level, message = (
        (logging.INFO, Message.CONDITION_GOOD) if entry.status else (logging.WARNING, Message.CONDITION_BAD)
    )
    extra = journal_fields(message, condition=entry.type, reason=entry.reason)
    _log.log(level, "%s=%s, %s: %s", entry.type, entry.status, entry.reason, entry.message, extra=extra)


def _log_failure(shown: str, failure: Failure) -> None:
    extra = journal_fields(Message.FAILING, object=shown, reason=failure.reason)
    _log.warning("%s fails: %s: %s", shown, failure.reason, failure.message, extra=extra)
