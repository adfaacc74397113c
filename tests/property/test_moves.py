"""Laws of a change that disturbs the hosts of floating groups, in a simulated cluster."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from lunmapd.core.base.lunmap import Failback, FloatingGroup
from lunmapd.core.floating.choice import Candidate, choose_owner
from lunmapd.core.floating.documents import CandidateView, Report
from lunmapd.core.floating.others import others_of
from lunmapd.core.planning.moving import Others

NAMES = ("n1", "n2", "n3", "n4")
PATIENCE = 20
"""For how many rounds a node lets a change wait."""

ORDERS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
GROUPS = st.lists(
    st.builds(lambda order, failback: FloatingGroup(1, (), tuple(order), 1, failback), ORDERS, st.sampled_from(Failback)),
    min_size=1,
    max_size=4,
)  # fmt: skip
TURNS = st.lists(st.permutations(NAMES), max_size=10)


class Fleet:
    """Nodes with groups at revision 1, and a change of revision 2 that disturbs the hosts of each owner.

    `hanging` nodes live and do nothing. In a round each node sees the reports of the others as they were when
    the round began.
    """

    def __init__(
        self, groups: Sequence[FloatingGroup], owners: Sequence[int], hanging: frozenset[str]
    ) -> None:
        self.groups, self.hanging = groups, hanging
        self.owners = [
            group.nodes[number % len(group.nodes)] for group, number in zip(groups, owners, strict=False)
        ]
        self.reports = {name: Report(fit=True, settled=True, served=1, revision=1) for name in NAMES}
        self.seen = dict(self.reports)
        self.waited = dict.fromkeys(NAMES, 0)
        self.disturbed: list[str] = []
        self.moves = 0

    def round(self, order: Sequence[str]) -> None:
        """Let each node follow its groups, make a pass, and follow its groups again."""
        self.seen = dict(self.reports)
        for name in order:
            if name not in self.hanging:
                self.follow(name)
                self.make_pass(name)

    def follow(self, name: str) -> None:
        """Give the groups of a node to the nodes that are to own them."""
        for number, group in enumerate(self.groups):
            if self.owners[number] == name:
                reports = {**self.seen, name: self.reports[name]}
                candidates = {
                    each: Candidate(reports[each].fit, settled=True, served=1) for each in group.nodes
                }
                chosen = choose_owner(group, candidates, name)
                self.moves += chosen != name
                self.owners[number] = chosen

    def make_pass(self, name: str) -> None:
        """Make the change, or let it wait."""
        if self.reports[name].revision > 1:
            return
        owned = [group for group, owner in zip(self.groups, self.owners, strict=True) if owner == name]
        others = {others_of(name, self.views(group), 2) for group in owned} - {Others.NONE}
        if others and self.waited[name] < PATIENCE:
            self.waited[name] += 1
            fit = Others.READY not in others
            self.reports[name] = Report(fit=fit, settled=True, served=1, revision=0, moving=True)
            return
        self.disturbed += [name] if owned else []
        self.reports[name] = Report(fit=True, settled=True, served=1, revision=2)

    def views(self, group: FloatingGroup) -> dict[str, CandidateView]:
        """Return the candidates of a group."""
        return {name: CandidateView(self.seen[name], live=True) for name in group.nodes}

    def end(self) -> None:
        """Go on until every node that acts has made the change."""
        for _ in range(PATIENCE * len(NAMES)):
            self.round(NAMES)

    def behind(self) -> set[str]:
        """Return the nodes that have not made the change."""
        return {name for name in NAMES if self.reports[name].revision < 2}


@settings(max_examples=150)
@given(GROUPS, st.lists(st.integers(0, 3), min_size=4, max_size=4), TURNS)
def test_no_host_is_disturbed_while_another_node_can_serve_it(
    groups: list[FloatingGroup], owners: list[int], turns: list[list[str]]
) -> None:
    """The nodes make the change one after the other, with few moves; a group of one node has no other."""
    fleet = Fleet(groups, owners, frozenset())
    for order in turns:
        fleet.round(order)
    fleet.end()
    alone = {group.nodes[0] for group in groups if len(group.nodes) == 1}
    assert fleet.behind() == set()
    assert set(fleet.disturbed) <= alone
    assert fleet.moves <= len(groups) * (len(NAMES) + 1)


@settings(max_examples=50)
@given(
    GROUPS, st.lists(st.integers(0, 3), min_size=4, max_size=4), TURNS, st.frozensets(st.sampled_from(NAMES))
)
def test_a_node_that_hangs_does_not_stop_the_change(
    groups: list[FloatingGroup], owners: list[int], turns: list[list[str]], hanging: frozenset[str]
) -> None:
    """Every other node has made it in the end."""
    fleet = Fleet(groups, owners, hanging)
    for order in turns:
        fleet.round(order)
    fleet.end()
    assert fleet.behind() == hanging
