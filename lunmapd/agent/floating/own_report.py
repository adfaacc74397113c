"""What a node reports of itself as a candidate for one group."""

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.clock import utc_now
from lunmapd.core.floating.choice import Candidate
from lunmapd.core.floating.documents import CandidateView, Report

FLAPS = 3600.0
"""For how many seconds a change from fit to unfit counts."""

MOST_FLAPS = 6


class Identity(NamedTuple):
    """This node, and the boot id of its kernel."""

    node: str
    boot: str


class Judgement(Struct, frozen=True):
    """How well this node can own the group, by its last pass; the fields are those of Report."""

    fit: bool
    served: int
    reason: str = ""
    revision: int = 0
    moving: bool = False


def unfit(reason: str, last: Judgement | None) -> Judgement:
    """Return that this node can't own the group, for a reason that a pass does not see.

    `last` is the judgement of the last pass: the node has applied the revision of it.
    """
    return Judgement(fit=False, served=0, reason=reason, revision=0 if last is None else last.revision)


class OwnReport:
    """The report of this node, and since when it says that the node is fit.

    A node that became unfit several times within FLAPS is settled later each time, so that its groups do not
    move to and fro: after twice, four times, ... `failback_after`, MOST_FLAPS doublings at most.
    """

    def __init__(self, me: Identity) -> None:
        """Begin without a report."""
        self._me, self._report = me, Report()
        self._fit_since: float | None = None
        self._falls: tuple[float, ...] = ()

    @property
    def report(self) -> Report:
        """The last report, without the phase."""
        return self._report

    @property
    def candidate(self) -> Candidate:
        """How well this node can own the group."""
        report = self._report
        return Candidate(report.fit, report.settled, report.served)

    def was_not_seen(self) -> None:
        """Take it that other nodes did not see that this one was fit."""
        self._fit_since = None

    def judge(self, found: Judgement, failback_after: float, now: float) -> None:
        """Make the report of a judgement at `now` (CLOCK_BOOTTIME, in seconds)."""
        before = self._report
        if before.fit and not found.fit and not found.moving:
            self._falls = (*(fall for fall in self._falls if now < fall + FLAPS), now)
        if not found.fit:
            self._fit_since = None
        elif self._fit_since is None:
            self._fit_since = now
        delay = failback_after * 2 ** min(max(0, len(self._falls) - 1), MOST_FLAPS)
        settled = self._fit_since is not None and now >= self._fit_since + delay
        same = (before.fit, before.reason) == (found.fit, found.reason) and before.since
        since = before.since if same else utc_now()
        self._report = Report(
            self._me.boot,
            found.fit,
            settled,
            found.served,
            found.reason,
            since,
            revision=found.revision,
            moving=found.moving,
        )

    def keep(self, known: CandidateView | None) -> None:
        """Keep the report of an earlier run of the daemon in this boot, before this run made a pass."""
        if known is not None and known.report.boot == self._me.boot:
            self._report = replace(known.report, phase="")
        else:
            self._report = Report(self._me.boot, reason="the node has not made a pass since it booted")
