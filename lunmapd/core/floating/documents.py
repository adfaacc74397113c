"""The documents of a floating portal group in ZooKeeper, besides the record of its lease."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.floating.choice import UNFIT, Candidate


class Report(Struct, frozen=True, omit_defaults=True):
    """What a node reports about itself as a candidate, in `candidates/<node>`.

    `boot` is the boot id of its kernel: the report of an earlier boot counts as none. `reason` says in a
    sentence why it is not fit, `since` is when it became fit or unfit (RFC 3339). `phase` is the GroupPhase
    of the group there. `revision` is that of the map by which it judged itself. `moving`: a change waits
    there until the groups that it owns have moved.
    """

    boot: str = ""
    fit: bool = False
    settled: bool = False
    served: int = 0
    reason: str = ""
    since: str = ""
    phase: str = ""
    revision: int = 0
    moving: bool = False


class CandidateView(Struct, frozen=True):
    """A candidate as others see it: its last report, and whether its session exists."""

    report: Report = Report()
    live: bool = False

    @property
    def candidate(self) -> Candidate:
        """How well it can own the group."""
        report = self.report
        return Candidate(report.fit, report.settled, report.served) if self.live else UNFIT


class Wish(Struct, frozen=True, omit_defaults=True):
    """The node that an admin moved a group to, by whom and when (RFC 3339); "" for none."""

    node: str = ""
    author: str = ""
    time: str = ""


CandidateViews = Mapping[str, CandidateView]
"""Node to the view of it."""
