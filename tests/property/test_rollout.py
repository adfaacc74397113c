"""Rollouts: whatever the order of nodes, admins and deadlines, all nodes end with one map."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.history.changes import Head, Rollout
from lunmapd.core.history.rollout import followed_head

if TYPE_CHECKING:
    from collections.abc import Callable

NODES = ("n1", "n2", "n3")
BASE, TRIED = "base", "tried"
_NODE = st.sampled_from(NODES)
ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("read", "pass the deadline", "mark")), _NODE),
        st.tuples(st.sampled_from(("confirm", "release", "abort", "write back")), st.just("")),
    )
)


@dataclass
class Tree:
    """What ZooKeeper keeps of a rollout: head, and the marks of nodes; each act is one transaction."""

    head: Head
    marks: set[str] = field(default_factory=set)
    is_there: bool = True

    def read(self, node: str) -> Head:
        """Return the head that a reader follows."""
        if self.head.rollout is None:
            return self.head
        return followed_head(self.head, node, 0.0, undone=bool(self.marks))

    def mark(self, node: str) -> None:
        """Create the mark of a node; without the parent ZooKeeper refuses it."""
        if self.is_there:
            self.marks.add(node)

    def end(self, digest: str) -> None:
        """End the rollout with a map; a parent with children is not deleted, so nothing is done."""
        if self.head.rollout is not None and not self.marks:
            self.head, self.is_there = Head(3, digest), False

    def release(self) -> None:
        """Let all nodes follow the revision that is tried."""
        if self.head.rollout is not None:
            self.head = replace(self.head, rollout=replace(self.head.rollout, first=()))

    def write_back(self) -> None:
        """Write what the nodes follow already; the marks may stay."""
        if self.head.rollout is not None and self.marks:
            self.head = Head(3, BASE)


def act(tree: Tree, what: str, node: str, seen: dict[str, list[Head]]) -> None:
    """Do one thing; a node marks a rollout that it has read as not over, a hostile one at any time."""
    doings: dict[str, Callable[[], None]] = {
        "read": lambda: seen[node].append(tree.read(node)),
        "mark": lambda: tree.mark(node),
        "pass the deadline": lambda: tree.mark(node) if _is_pending(seen[node]) else None,
        "confirm": lambda: tree.end(TRIED) if _is_released(tree.head) else None,
        "release": tree.release,
        "abort": lambda: tree.end(BASE),
        "write back": tree.write_back,
    }
    doings[what]()


def _is_pending(heads: list[Head]) -> bool:
    rollout = heads[-1].rollout if heads else None
    return rollout is not None and heads[-1].revision != rollout.undo


def _is_released(head: Head) -> bool:
    return head.rollout is not None and not head.rollout.first


@given(ACTS, st.sets(_NODE))
def test_all_nodes_end_with_the_same_map(acts: list[tuple[str, str]], first: set[str]) -> None:
    """No node ever goes back, none sees two maps of one revision, and after the end all have one map."""
    tree = Tree(Head(2, TRIED, rollout=Rollout(2, 1, BASE, tuple(sorted(first)), 60)))
    seen: dict[str, list[Head]] = {node: [] for node in NODES}
    for what, node in acts:
        act(tree, what, node, seen)
    for node in NODES:
        seen[node].append(tree.read(node))
    maps: dict[int, str] = {}
    for heads in seen.values():
        assert [head.revision for head in heads] == sorted(head.revision for head in heads)
        for head in heads:
            assert maps.setdefault(head.revision, head.digest) == head.digest
    if tree.head.rollout is None or tree.marks:
        assert len({heads[-1].digest for heads in seen.values()}) == 1
