"""The text about the paths of Luns."""

from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_problems import LostLogin, PathProblem
from lunmapd.service.ctl.text.path_lines import lost_lines, path_problem_lines, paths_table

T = "iqn.2026-01.org.example:t"
N1, N2, N3 = NodePath("n1", "ok"), NodePath("n2", "dead"), NodePath("n3", "BackingDeviceMissing")


def rows(*found: LunPaths) -> list[list[str]]:
    """Return the cells of the table without its head."""
    lines = paths_table(found).lines()
    assert lines[0].split() == ["LUN", "SIZE", "PATHS", "NODES", "INITIATORS"]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:]]


def test_each_lun_is_a_line() -> None:
    """A Lun has the count of its paths, each path's state, and the number of logged-in initiators."""
    hosts = Host("h1", T, ("n1",)), Host("h2", T, (), ("n1",))
    assert rows(
        LunPaths("db1", 1, 3, (N1, N2, N3), hosts, 3 << 29),
        LunPaths("unseen", 0, 0, (), ()),
        LunPaths("empty", 1, 1, (N1,), ()),
    ) == [
        ["db1", "1.5 GiB", "1/3", "n1 ok, n2 DEAD, n3 BackingDeviceMissing", "1/2 logged in"],
        ["unseen", "-", "-", "-", "-"],
        ["empty", "-", "1/1", "n1 ok", "-"],
    ]


def test_a_lost_login_and_one_that_is_not_known_are_told() -> None:
    """At most three initiators are named, and the nodes with unknown sessions."""
    lost = tuple(Host(f"h{number}", T, ("n1",), ("n4",), ("n5",)) for number in range(5))
    ((*_, told),) = rows(LunPaths("db1", 1, 1, (N1,), lost))
    assert told == "5/5 logged in; h0 not at n4; h1 not at n4; h2 not at n4 and 2 more; unknown at n5"


def test_an_initiator_of_two_targets_counts_once() -> None:
    """It is logged in if it is to any of them."""
    ((*_, told),) = rows(LunPaths("db1", 1, 1, (N1,), (Host("h", T, ("n1",)), Host("h", "other"))))
    assert told == "1/1 logged in"


def test_luns_with_the_same_trouble_are_one_line() -> None:
    """Three Luns are named, the others counted; a Lun without any path is marked, unless one is left."""
    many = tuple(f"l{number}" for number in range(10_000))
    assert list(
        path_problem_lines(
            [
                PathProblem(("db1",), 0, 2, (N2, N3)),
                PathProblem(("db2", "db3"), 0, 0, ()),
                PathProblem(many, 1, 2, (N2,)),
                PathProblem(("db4",), 0, 2, (N2, NodePath("n3", "Held"))),
            ]
        )
    ) == [
        "luns/db1: no path: n2 DEAD, n3 BackingDeviceMissing",
        "luns/db2, luns/db3: no path: no node serves its targets",
        "luns/l0, luns/l1, luns/l2 and 9997 more: 1 of 2 paths: n2 DEAD",
        "luns/db4: 0 of 2 paths: n2 DEAD, n3 Held",
    ]


def test_many_kinds_of_trouble_are_cut() -> None:
    """Ten lines are shown, and how many Luns there are besides."""
    troubles = [PathProblem((f"l{number}", "x"), 1, 2, (N2,)) for number in range(12)]
    lines = list(path_problem_lines(troubles))
    assert len(lines) == 11
    assert lines[-1] == "4 more Luns lack paths; see 'lunmapctl status --luns'"


def test_lost_logins_are_told_together() -> None:
    """Initiators that lack the same are one line, and of many lines ten are shown."""
    lost = [LostLogin(f"h{number}", T, ("n1",), ("n2", "n3"), 7) for number in range(5)]
    assert list(lost_lines(lost)) == [f"h0, h1, h2 and 2 more: logged in to {T} at n1, not at n2, n3"]
    each = [LostLogin(f"h{number}", f"t{number}", ("n1",), ("n2",), 1) for number in range(11)]
    assert list(lost_lines(each))[-1] == "1 more such; see 'lunmapctl status --luns'"
