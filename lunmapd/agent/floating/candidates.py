"""The candidates of a group as this node knows them, and which of them hang although their sessions live."""

from collections.abc import Iterable, Mapping

from lunmapd.core.floating.choice import UNFIT, Candidate
from lunmapd.core.floating.documents import CandidateView, CandidateViews


class KnownCandidates:
    """Follows the candidates from read to read. Times are of CLOCK_BOOTTIME, in seconds.

    A node that did not act when it should is no candidate until its report or its session changes.
    """

    def __init__(self) -> None:
        """Begin without a candidate."""
        self._views: CandidateViews = {}
        self._since: Mapping[str, float] = {}
        self._hanging: Mapping[str, CandidateView] = {}

    def follow(self, views: CandidateViews, now: float) -> None:
        """Take what was read at `now`."""
        same = {node for node, view in views.items() if self._views.get(node) == view}
        self._since = {node: self._since[node] if node in same else now for node in views}
        self._hanging = {node: view for node, view in self._hanging.items() if node in same}
        self._views = views

    def is_unchanged(self, node: str, at: float) -> bool:
        """Return whether a candidate has reported nothing since `at`."""
        return self._since.get(node, at + 1) <= at

    def hang(self, nodes: Iterable[str]) -> None:
        """Take it that these nodes did not act when they should."""
        self._hanging = {
            **self._hanging,
            **{name: self._views[name] for name in nodes if name in self._views},
        }

    @property
    def views(self) -> CandidateViews:
        """The candidates that don't hang."""
        return {node: view for node, view in self._views.items() if node not in self._hanging}

    @property
    def candidates(self) -> Mapping[str, Candidate]:
        """How well each node can own the group, this one by its last written report."""
        return {
            node: UNFIT if node in self._hanging else view.candidate for node, view in self._views.items()
        }
