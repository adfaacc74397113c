"""Portals and their targets: what the map promises, and what they answered."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.names import parse_portal
from lunmapd.core.base.text import first_of
from lunmapd.core.probe.answers import LunAnswer, Outcome, PortalAnswer, TargetAnswer
from lunmapd.core.probe.compare_lun import compare_lun
from lunmapd.core.probe.findings import Finding, FindingReason
from lunmapd.core.probe.promise import PromisedLun, PromisedPortal

_MAX_NAMED = 5

_OF_PORTAL: Mapping[Outcome, FindingReason] = {
    Outcome.REFUSES: FindingReason.DISCOVERY_REFUSED,
    Outcome.SILENT: FindingReason.PORTAL_SILENT,
    Outcome.LOST: FindingReason.PORTAL_SILENT,
    Outcome.UNREACHABLE: FindingReason.PORTAL_UNREACHABLE,
    Outcome.NOT_ASKED: FindingReason.NOT_PROBED,
}
_OF_TARGET: Mapping[Outcome, FindingReason] = {
    Outcome.REFUSES: FindingReason.LOGIN_REFUSED,
    Outcome.SILENT: FindingReason.LOGIN_FAILED,
    Outcome.LOST: FindingReason.LOGIN_FAILED,
    Outcome.UNREACHABLE: FindingReason.LOGIN_FAILED,
    Outcome.NOT_ASKED: FindingReason.NOT_PROBED,
}


_HARMLESS = {FindingReason.WRITABLE, FindingReason.ALUA_DIFFERS}
"""The findings with which hosts can use a path all the same."""


class ProbedPath(Struct, frozen=True, kw_only=True):
    """A LUN that the map promises on a portal, its answer (None for no answer), and the findings about it.

    `blocked` is the reason why the LUN was not asked, such as that its portal did not answer.
    """

    node: str
    portal: str
    target: str
    active: bool
    promised: PromisedLun
    answer: LunAnswer | None
    blocked: FindingReason | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def is_intended(self) -> bool:
        """Whether hosts should be able to read and write through it."""
        return self.active and self.promised.is_open

    @property
    def serves(self) -> bool:
        """Whether hosts can read and write through it, as far as the answers show."""
        harmless = all(finding.reason in _HARMLESS for finding in self.findings)
        return self.is_intended and self.answer is not None and harmless

    @property
    def reasons(self) -> tuple[FindingReason, ...]:
        """Why it is not as the map promises."""
        own = () if self.blocked is None else (self.blocked,)
        return tuple(dict.fromkeys((*own, *(finding.reason for finding in self.findings))))


def compare_portal(promised: PromisedPortal, answer: PortalAnswer) -> Iterator[Finding]:
    """Yield how a portal and its targets differ, without their LUNs.

    A portal that wants a password for discovery may refuse it: its login thread lives.
    """
    reason = _OF_PORTAL.get(answer.outcome)
    if reason is not None and not (answer.outcome is Outcome.REFUSES and promised.asks_password):
        yield Finding(reason=reason, message=answer.detail, node=promised.node, portal=promised.portal)
    if answer.listed is not None:
        yield from _listing(promised, answer.listed)
    for target, of_target in answer.targets.items():
        yield from _target(promised, target, of_target)


def _listing(promised: PromisedPortal, listed: Mapping[str, AbstractSet[str]]) -> Iterator[Finding]:
    for target in sorted(promised.listed.keys() | listed.keys()):
        wanted = promised.listed.get(target, frozenset())
        seen = {_canonical(portal) for portal in listed.get(target, ())}
        for reason, portals, sentence in (
            (FindingReason.NOT_LISTED, wanted - seen, "discovery does not list"),
            (FindingReason.LISTED, seen - wanted, "discovery lists, against the map,"),
        ):
            if portals:
                message = f"{sentence} {first_of(sorted(portals), _MAX_NAMED)}"
                yield Finding(
                    reason=reason, message=message, node=promised.node, portal=promised.portal, target=target
                )


def _canonical(listed: str) -> str:
    """Return `address:port,tag` with the address as the map spells it."""
    portal, comma, tag = listed.rpartition(",")
    try:
        return parse_portal(portal) + comma + tag
    except ValueError:
        return listed


def _target(promised: PromisedPortal, target: str, answer: TargetAnswer) -> Iterator[Finding]:
    def finding(reason: FindingReason, message: str) -> Finding:
        return Finding(
            reason=reason, message=message, node=promised.node, portal=promised.portal, target=target
        )

    if reason := _OF_TARGET.get(answer.outcome):
        yield finding(reason, answer.detail)
        return
    wanted, others = promised.targets[target].luns, promised.targets[target].others
    if unasked := sum(number in answer.numbers and number not in answer.luns for number in wanted):
        yield finding(FindingReason.NOT_PROBED, f"{unasked} LUNs were not asked: {answer.detail}")
    if extra := sorted(answer.numbers - wanted.keys() - others):
        numbers = first_of([f"LUN {number}" for number in extra], _MAX_NAMED)
        yield finding(FindingReason.LUN_UNEXPECTED, f"the node shows {numbers}, the map does not")


def probed_paths(promised: PromisedPortal, answer: PortalAnswer) -> Iterator[ProbedPath]:
    """Yield each LUN that the map promises on a portal, with what it answered."""
    for target, wanted in promised.targets.items():
        of_target = answer.targets.get(target, TargetAnswer(outcome=Outcome.NOT_ASKED))
        for number, lun in sorted(wanted.luns.items()):
            yield ProbedPath(
                node=promised.node,
                portal=promised.portal,
                target=target,
                active=promised.active,
                promised=lun,
                answer=of_target.luns.get(number),
                blocked=_blocked(promised, answer, of_target, number),
                findings=tuple(_of_lun(promised, target, lun, of_target)),
            )


def _blocked(
    promised: PromisedPortal, answer: PortalAnswer, of_target: TargetAnswer, number: int
) -> FindingReason | None:
    if not promised.active:
        return None
    if answer.outcome not in {Outcome.ANSWERS, Outcome.REFUSES}:
        return _OF_PORTAL[answer.outcome]
    unasked = number in of_target.numbers and number not in of_target.luns
    return FindingReason.NOT_PROBED if unasked else _OF_TARGET.get(of_target.outcome)


def _of_lun(
    promised: PromisedPortal, target: str, lun: PromisedLun, of_target: TargetAnswer
) -> Iterator[Finding]:
    answer = of_target.luns.get(lun.number)
    if of_target.outcome is Outcome.ANSWERS and lun.number not in of_target.numbers:
        differences = [(FindingReason.LUN_MISSING, f"the node does not show LUN {lun.number}")]
    else:
        differences = [] if answer is None else list(compare_lun(lun, answer))
    for reason, message in differences:
        yield Finding(
            reason=reason,
            message=message,
            node=promised.node,
            portal=promised.portal,
            target=target,
            lun=lun.lun,
        )
