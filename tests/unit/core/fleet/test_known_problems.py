"""Which failing objects of a node do not keep it from a revision."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Initiator, Map
from lunmapd.core.fleet.known_problems import KnownProblems, other_problems
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import OFFERED, Condition, Failing, NodeStatus
from support.floating_map import FLOATING
from support.small_map import LUN, MAP, H, T

G = "iqn.2026-01.org.example:g"
NOW = "2026-01-01T00:00:00Z"
TWO = replace(
    MAP,
    luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=(Map(T, 4, G),))},
    initiators={H: Initiator(), G: Initiator()},
    groups={"web": Group((G,))},
)
OLD = Failing("storage_object b", "BackingDeviceMissing", "no device", "b")
PORTAL = Failing(f"portal {T} 1 10.0.0.1:3260", "PortalAddressMissing", "no address")
ACL = Failing(f"acl {T} 1 {G}", "SecretUnfit", "too short")
TPG = Failing(f"tpg {T} 1", "KernelRefused", "no")
LEFTOVER = Failing("leftover /x", "InUse", "busy")


def status(*failing: Failing, more: int = 0, offered: bool = True) -> NodeStatus:
    """Return a status that lists failing objects, `more` of which are not in the list."""
    conditions = () if offered else (Condition(OFFERED, False, "Isolated", "", NOW),)
    return NodeStatus("b", "v", NOW, None, None, conditions, failing, len(failing) + more)


def others(
    before: NodeStatus | None, now: NodeStatus, paths: Iterable[str], after: object = TWO
) -> tuple[Failing, ...] | None:
    """Return what is found of n1 after a commit that changed these objects."""
    known = KnownProblems(TWO, {"n1": NodeView(True, False, before)}, frozenset(paths))
    return other_problems("n1", now, known, TWO if after is TWO else MAP)


@pytest.mark.parametrize("failing", [OLD, PORTAL, ACL, LEFTOVER])
def test_a_known_problem_of_another_object_is_named(failing: Failing) -> None:
    """Of a Lun, a portal or a host that is not in the commit, and of what no path depends on."""
    assert others(status(failing), status(failing), ["luns/a"]) == (failing,)


@pytest.mark.parametrize(
    ("failing", "path"),
    [
        (OLD, "luns/b"),
        (TPG, "luns/a"),
        (ACL, "luns/b"),
        (ACL, f"initiators/{G}"),
        (ACL, "groups/web"),
        (TPG, f"targets/{T}"),
        (PORTAL, f"targets/{T}"),
        (OLD, "nodes/n1"),
    ],
)
def test_a_problem_that_concerns_the_commit_counts(failing: Failing, path: str) -> None:
    """The changed object itself, TPG and ACLs of a changed Lun, a host, a group, a target, the node."""
    assert others(status(failing), status(failing), [path]) is None


def test_a_known_problem_of_a_lun_counts_for_no_other_change_of_its_target() -> None:
    """Its objects name the target, and belong to the Lun."""
    lun = Failing(f"lun {T} 1 b", "KernelRefused", "no", "b")
    assert others(status(lun), status(lun), [f"targets/{T}", f"initiators/{G}"]) == (lun,)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, status(OLD)),
        (status(), status(OLD)),
        (status(replace(OLD, reason="InUse")), status(OLD)),
        (status(OLD, more=1), status(OLD)),
        (status(OLD), status(OLD, more=1)),
        (status(OLD), status(OLD, offered=False)),
        (status(OLD), status()),
    ],
)
def test_a_problem_that_is_new_or_not_listed_counts(before: NodeStatus | None, now: NodeStatus) -> None:
    """Also another reason, a list that is cut off, paths that are not offered, and what has no object."""
    assert others(before, now, ["luns/a"]) is None


def test_the_paths_of_a_removed_lun_concern_the_commit() -> None:
    """They are those of the map before it; a node that was not there had no problem."""
    assert others(status(ACL), status(ACL), ["luns/b"], after=MAP) is None
    assert other_problems("n9", status(OLD), KnownProblems(TWO, {}), TWO) is None


def test_the_tpg_of_a_floating_group_concerns_its_luns() -> None:
    """It has a tag of its own."""
    (group,) = FLOATING.targets[next(iter(FLOATING.targets))].floating.values()
    iqn = next(iter(FLOATING.targets))
    failing = Failing(f"tpg {iqn} {group.tpg_tag}", "KernelRefused", "no")
    node = group.nodes[0]
    known = KnownProblems(FLOATING, {node: NodeView(True, False, status(failing))}, frozenset({"luns/a"}))
    assert other_problems(node, status(failing), known, FLOATING) is None
