"""What the journal gets of a floating portal group: who has it, and why it changed."""

import logging

from lunmapd.agent.floating.view import GroupView
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.facts import Facts
from lunmapd.core.floating.lease import LeaseRecord
from lunmapd.core.placement.leased_groups import describe_group

_log = logging.getLogger(__name__)


class GroupLog:
    """Logs each change of one group once."""

    def __init__(self, group: GroupId) -> None:
        """Start with nothing logged."""
        self._group = group
        self._from = ""

    def wrote(self, before: Facts, record: LeaseRecord) -> None:
        """Record a take or a release, which `before` were the facts of."""
        if record.owner:
            self._from = _origin(before)
            return
        next_one = f"; {record.successor} is to take it" if record.successor else ""
        self._write(Message.GROUP_RELEASED, f"the node has released {self._name}{next_one}")

    def serving(self, facts: Facts) -> None:
        """Record that this node begins to serve the group."""
        self._write(Message.GROUP_TAKEN, f"the node serves {self._name}{self._from}", owner=facts.node)
        self._from = ""

    def phase(self, before: GroupView, after: GroupView) -> None:
        """Record that the lease ended without a release, or that another machine has an address."""
        if after.phase is before.phase:
            return
        if after.phase is GroupPhase.LOST and before.phase is GroupPhase.OWNER:
            why = f": {after.problem.message}" if after.problem else ""
            self._write(Message.GROUP_LOST, f"the lease of {self._name} has ended{why}", level=logging.ERROR)
        if after.phase is GroupPhase.IN_USE and after.problem is not None:
            text = f"{self._name} is not taken: {after.problem.message}"
            self._write(Message.ADDRESS_IN_USE, text, level=logging.ERROR)

    @property
    def _name(self) -> str:
        return describe_group(self._group)

    def _write(self, kind: Message, text: str, *, level: int = logging.INFO, **more: object) -> None:
        fields = journal_fields(kind, target=self._group.target, group=self._group.name, **more)
        _log.log(level, "%s", text, extra=fields)


def _origin(before: Facts) -> str:
    """Return from whom a group was taken, as the end of a sentence."""
    record = before.record
    if not record.owner:
        return " after it was released"
    if record.owner == before.node:
        return " again, since the machine was started anew"
    return f", since the lease of {record.owner} has ended" if before.version > 0 else ""
