"""The paths of each Lun."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    AluaState,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Target,
)
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths, find_lun_paths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_problems import LostLogin, PathProblem, find_lost_logins, find_path_problems
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import (
    APPLIED,
    MAX_LOGINS,
    Failing,
    HistoryPoint,
    NodeStatus,
    true_condition,
    update_condition,
)
from lunmapd.core.node.observed import Login
from lunmapd.core.placement.alua_states import sole_path_luns

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
H, G = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:g"
ALL = ("n1", "n2", "n3")
MAP = Lunmap(
    {
        "a": Lun(Block("/dev/a"), maps=(Map(T, 0, H),)),
        "b": Lun(Block("/dev/b"), nodes=("n1", "n2"), maps=(Map(T, 1, group="both"),)),
        "unseen": Lun(Block("/dev/u")),
    },
    {T: Target({name: PortalGroup(number) for number, name in enumerate(ALL, 1)})},
    {H: Initiator(), G: Initiator()},
    {"both": Group((H, G))},
    {name: Node(number, (f"10.0.0.{number}:3260",)) for number, name in enumerate(ALL, 1)},
)
RECENT = RecentHistory("c", 9, "d")


def well(*logins: Login, failing: tuple[Failing, ...] = (), sessions: int | None = None) -> NodeView:
    """Return a node that lives, has applied the newest revision, and has these logins."""
    conditions = update_condition((), true_condition(APPLIED, Reason.SEEN, ""), "")
    now = HistoryPoint("c", 9, "d")
    count = len(logins) if sessions is None else sessions
    status = NodeStatus(
        "boot", "1", "", now, now, conditions, failing, len(failing), sessions=count, logins=logins
    )
    return NodeView(live=True, status=status)


def found(lunmap: Lunmap = MAP, **said: NodeView) -> dict[str, LunPaths]:
    """Return the path problems by Lun; nodes without a given status are converged."""
    every = {name: well() for name in ALL} | said
    return {each.lun: each for each in find_lun_paths(lunmap, every, RECENT)}


def test_all_is_well() -> None:
    """Each Lun has a path through every node that reports it; an unmapped one needs none."""
    luns = found()
    assert luns["a"].paths == tuple(NodePath(name, "ok") for name in ALL)
    assert [(each.usable, each.intended) for each in luns.values()] == [(3, 3), (2, 2), (0, 0)]
    assert all(each.is_whole for each in luns.values())
    assert find_path_problems(luns.values()) == ()
    assert find_lost_logins(luns.values()) == ()


def test_each_path_has_its_own_reason() -> None:
    """A dead node, and a device that is missing on another, leave one of three paths."""
    missing = Failing("storage_object a", "BackingDeviceMissing", "", "a")
    luns = found(n2=NodeView(), n3=well(failing=(missing,)))
    assert luns["a"].paths == (
        NodePath("n1", "ok"),
        NodePath("n2", "dead"),
        NodePath("n3", "BackingDeviceMissing"),
    )
    assert find_path_problems(luns.values()) == (
        PathProblem(("a",), 1, 3, luns["a"].paths[1:]),
        PathProblem(("b",), 1, 2, (NodePath("n2", "dead"),)),
    )


def test_a_node_of_which_nothing_is_known_is_dead() -> None:
    """It never came."""
    (first, *_) = find_lun_paths(MAP, {}, RECENT)
    assert {path.state for path in first.paths} == {"dead"}


def test_luns_that_lack_the_same_are_told_together_the_worst_first() -> None:
    """There is one entry for each kind of problem, with any number of Luns."""
    luns = {f"l{number}": MAP.luns["a"] for number in range(5)} | {"b": MAP.luns["b"]}
    (one, other) = find_path_problems(found(replace(MAP, luns=luns), n1=NodeView(), n2=NodeView()).values())
    assert (one.luns, one.usable, one.intended) == (("b",), 0, 2)
    assert (other.luns, other.usable) == (("l0", "l1", "l2", "l3", "l4"), 1)


def test_a_path_through_some_portals_is_usable_and_a_problem() -> None:
    """A Lun lacks no path while a portal of each node serves it, and is reported as degraded."""
    nodes = {**MAP.nodes, "n1": Node(1, ("10.0.0.1:3260", "10.1.0.1:3260"))}
    failing = (Failing("portal 10.1.0.1:3260", "PortalAddressMissing", ""),)
    luns = found(replace(MAP, nodes=nodes), n1=well(failing=failing))
    assert (luns["a"].usable, luns["a"].intended, luns["a"].is_whole) == (3, 3, False)
    problems = {problem.luns: problem for problem in find_path_problems(luns.values())}
    assert set(problems) == {("a",), ("b",)}
    assert problems["a",].paths == (NodePath("n1", "degraded"),)
    assert not problems["a",].is_cut_off
    assert find_lost_logins(found(n1=well(Login(T, H), failing=failing)).values())


@pytest.mark.parametrize("others", [AluaState.STANDBY, AluaState.UNAVAILABLE])
def test_a_path_that_accepts_no_io_does_not_count(others: AluaState) -> None:
    """When the only optimized node is gone, the Lun has no path, though other nodes live and serve it."""
    lun = replace(MAP.luns["a"], preferred="n1", others=others)
    lunmap = replace(MAP, luns={"a": lun})
    luns = found(lunmap)
    assert [path.state for path in luns["a"].paths] == ["ok", others, others]
    assert (luns["a"].usable, luns["a"].intended, luns["a"].is_whole) == (1, 1, True)
    (problem,) = find_path_problems(found(lunmap, n1=NodeView()).values())
    assert (problem.usable, problem.intended, problem.is_outage) == (0, 1, True)
    assert [path.state for path in problem.paths] == ["dead", others, others]


def test_a_drained_node_leaves_no_path_that_accepts_io() -> None:
    """Paths in standby take over from nobody, so this is an outage, not a drain of all nodes."""
    lun = replace(MAP.luns["a"], preferred="n1", others=AluaState.STANDBY)
    drained = {**MAP.nodes, "n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)}
    (problem,) = find_path_problems(found(replace(MAP, luns={"a": lun}, nodes=drained)).values())
    assert (problem.intended, problem.is_outage) == (0, True)


def test_a_closed_path_has_its_own_failure_first() -> None:
    """A path in standby whose node is dead is dead; a single node's Lun has no closed path."""
    lun = replace(MAP.luns["a"], preferred="n1", others=AluaState.STANDBY)
    luns = found(replace(MAP, luns={"a": lun}), n2=NodeView())
    assert [path.state for path in luns["a"].paths] == ["ok", "dead", "standby"]
    assert luns["a"].is_whole
    alone = found(replace(MAP, luns={"a": replace(lun, nodes=("n2",))}))
    assert (alone["a"].paths, alone["a"].is_whole) == ((NodePath("n2", "ok"),), True)


def test_a_node_may_be_the_only_path() -> None:
    """Paths of drained nodes, and paths that accept no I/O, do not take over; unmapped Luns have no path."""
    lun = replace(MAP.luns["a"], preferred="n1", others=AluaState.STANDBY)
    lunmap = replace(MAP, luns={**MAP.luns, "a": lun})
    assert [sole_path_luns(lunmap, name) for name in ALL] == [1, 0, 0]
    drained = {**MAP.nodes, "n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)}
    assert [sole_path_luns(replace(MAP, nodes=drained), name) for name in ALL] == [0, 1, 0]


def test_a_path_whose_closing_is_held_counts() -> None:
    """The node keeps the former state, in which initiators still use the path."""
    lun = replace(MAP.luns["a"], preferred="n1", others=AluaState.STANDBY)
    held = (Failing("storage_object a", "Held", "", kept=True),)
    luns = found(replace(MAP, luns={"a": lun}), n2=well(failing=held))
    assert [path.state for path in luns["a"].paths] == ["ok", "ok", "standby"]


def test_a_drained_node_is_not_asked_for() -> None:
    """The other paths are those that the map asks for; with every node drained there is a problem."""
    drained = {name: replace(node, state=NodeState.DRAINED) for name, node in MAP.nodes.items()}
    some = found(replace(MAP, nodes={**MAP.nodes, "n3": drained["n3"]}))
    assert (some["a"].usable, some["a"].intended, some["a"].is_whole) == (2, 2, True)
    (trouble, *_) = find_path_problems(found(replace(MAP, nodes=drained)).values())
    assert (trouble.usable, trouble.intended) == (0, 0)
    assert (trouble.is_cut_off, trouble.is_outage) == (True, False)


def test_a_lun_whose_target_no_node_serves_has_no_path() -> None:
    """No initiator can reach it."""
    (trouble, *_) = find_path_problems(found(replace(MAP, targets={})).values())
    assert trouble == PathProblem(("a", "b"), 0, 0, ())


def test_an_outage_is_more_than_a_node_at_work() -> None:
    """A Lun that nodes are about to make, or withheld, has no path as the map says, and counts as none."""
    nobody = PathProblem(("a",), 0, 2, (NodePath("n1", "dead"), NodePath("n2", "Stuck")))
    assert nobody.is_outage
    for word in ("behind", "Held"):
        assert not replace(nobody, paths=(NodePath("n1", "dead"), NodePath("n2", word))).is_cut_off
    assert not replace(nobody, usable=1).is_outage


def test_an_initiator_that_is_logged_in_everywhere_lacks_nothing() -> None:
    """It has all paths that there are."""
    inside = well(Login(T, H))
    luns = found(n1=inside, n2=inside, n3=inside)
    assert luns["a"].initiators == (Host(H, T, ALL),)
    assert luns["b"].initiators == (Host(G, T, (), ("n1", "n2")), Host(H, T, ("n1", "n2")))
    assert find_lost_logins(luns.values()) == ()


def test_an_initiator_that_is_logged_in_at_some_nodes_has_lost_a_path() -> None:
    """A target's problem is reported once, with nodes and Luns.

    An initiator without any session may be off.
    """
    luns = found(n1=well(Login(T, H)), n3=well(Login(T, H)))
    assert luns["a"].initiators == (Host(H, T, ("n1", "n3"), ("n2",)),)
    assert find_lost_logins(luns.values()) == (LostLogin(H, T, ("n1", "n3"), ("n2",), 2),)


def test_a_login_is_missed_where_it_would_be_of_use_only() -> None:
    """Not at a node that is dead or lacks the Lun, whose old logins count as little."""
    missing = Failing("storage_object a", "BackingDeviceMissing", "", "a")
    luns = found(
        n1=well(Login(T, H)),
        n2=replace(well(Login(T, H)), live=False),
        n3=well(failing=(missing,)),
    )
    assert luns["a"].initiators == (Host(H, T, ("n1",)),)
    assert find_lost_logins(luns.values()) == ()


def test_a_node_that_does_not_say_who_is_logged_in_is_not_accused() -> None:
    """With more sessions than a status lists they are unknown; otherwise a missing session is reported."""
    luns = found(n1=well(Login(T, H)), n2=well(sessions=MAX_LOGINS + 1), n3=well(sessions=MAX_LOGINS))
    assert luns["a"].initiators == (Host(H, T, ("n1",), ("n3",), ("n2",)),)


def test_a_login_counts_for_its_target_only() -> None:
    """A Lun with maps through two targets has an initiator twice, at the nodes that serve each."""
    both = Lunmap(
        {"a": Lun(Block("/dev/a"), maps=(Map(T, 0, H), Map(U, 0, H), Map("gone", 0, H)))},
        {T: Target({"n1": PortalGroup(1)}), U: Target({"n2": PortalGroup(2)})},
        nodes=MAP.nodes,
    )
    luns = found(both, n1=well(Login(T, H)), n2=well(Login(T, H)))
    assert luns["a"].initiators == (
        Host(H, "gone"),
        Host(H, T, ("n1",)),
        Host(H, U, (), ("n2",)),
    )


def test_a_probe_has_no_lost_logins() -> None:
    """A probe is logged in at one node after the other: it lacks no login at the others."""
    lunmap = replace(MAP, initiators={H: Initiator(), G: Initiator(probe=True)})
    views = {name: well(Login(T, H), Login(T, G)) for name in ("n1",)} | {"n2": well()}
    paths = find_lun_paths(lunmap, views, RECENT)
    assert [(lost.initiator, lost.missing) for lost in find_lost_logins(paths)] == [(H, ("n2",))]
