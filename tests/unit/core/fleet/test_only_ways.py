"""The Luns that hosts reach through one node alone."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Initiator, Lunmap, PortalGroup, Target
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.only_ways import OnlyWay, find_only_ways
from support.floating_map import FLOATING, MIXED
from support.floating_map import H as POOL_HOST
from support.floating_map import T as POOL
from support.small_map import MAP, H, T

U = "iqn.2026-01.org.example:u"
BOTH = replace(MAP, targets={**MAP.targets, U: Target({"n2": PortalGroup(9)})})


def ways(*hosts: Host, here: str = "ok", other: str = "ok", lunmap: Lunmap = BOTH) -> list[OnlyWay]:
    """Return the ways to Lun a that n1 alone is; `here` and `other` are the states of the two paths."""
    paths = (NodePath("n1", here), NodePath("n2", other))
    return list(find_only_ways(lunmap, [LunPaths("a", 0, 2, paths, hosts)], "n1"))


@pytest.mark.parametrize(
    ("host", "other", "logged_in"),
    [
        (Host(H, T, ("n1",), ("n2",)), "ok", True),
        (Host(H, T, ("n1", "n2")), "dead", True),
        (Host(H, T, ("n1", "n2")), "standby", True),
        (Host(H, T, (), (), ("n1", "n2")), "ok", True),
        (Host(H, T, (), ("n1",)), "drained", False),
    ],
)
def test_a_node_is_the_only_way(host: Host, other: str, logged_in: bool) -> None:  # noqa: FBT001
    """For a host that is logged in nowhere else, or where the other path is not usable."""
    assert ways(host, other=other) == [OnlyWay("a", H, T, logged_in, (NodePath("n2", other),))]


@pytest.mark.parametrize(
    "host", [Host(H, T, ("n1", "n2")), Host(H, T, ("n2",), ("n1",)), Host(H, T, (), ("n1", "n2"))]
)
def test_a_host_with_another_way_loses_nothing(host: Host) -> None:
    """It is logged in at another node, or is logged in nowhere and may use another one."""
    assert ways(host) == []


def test_a_path_that_is_not_used_can_not_be_lost() -> None:
    """A node whose own path is not usable, or that the host does not use, is no way."""
    assert ways(Host(H, T, ("n1",)), here="drained", other="dead") == []
    assert ways(Host(H, T, ("n2",), ("n1",)), other="dead") == []


@pytest.mark.parametrize("here", ["behind", "unknown", "SizeMismatch", "BackingDeviceMissing"])
def test_a_host_may_use_a_path_that_is_not_as_the_map_says(here: str) -> None:
    """A node that is behind, or that can't grow a Lun, serves as before a host that is logged in there."""
    host = Host(H, T, ("n1",))
    assert ways(host, here=here, other="dead") == [OnlyWay("a", H, T, True, (NodePath("n2", "dead"),))]
    assert ways(replace(host, at=()), here=here, other="dead") == []


@pytest.mark.parametrize("here", ["dead", "silent"])
def test_a_node_that_reports_nothing_may_be_the_only_way(here: str) -> None:
    """Its kernel serves on without the daemon: a host that is known nowhere else may be logged in there."""
    host = Host(H, T)
    assert ways(host, here=here, other="drained") == [OnlyWay("a", H, T, False, (NodePath("n2", "drained"),))]
    assert ways(host, here=here) == []
    assert ways(replace(host, at=("n2",)), here=here) == []
    assert [way.logged_in for way in ways(replace(host, at=("n2",)), here=here, other="drained")] == [True]


def test_another_target_is_another_way() -> None:
    """A host may see a Lun through two targets."""
    assert ways(Host(H, T, ("n1",), ("n2",)), Host(H, U, ("n2",))) == []
    assert ways(Host(H, U, ("n2",)), other="dead") == []


def test_the_probe_is_no_host() -> None:
    """It is logged in at one node after the other; nor is an initiator that the map no longer has."""
    host = Host(H, T, ("n1",), ("n2",))
    assert ways(host, lunmap=replace(BOTH, initiators={H: Initiator(probe=True)})) == []
    assert ways(host, lunmap=replace(BOTH, initiators={})) == []


GROUP = NodePath("n1", "ok", target=POOL, floating="gold")
HOST = Host(POOL_HOST, POOL, ("n1",))


@pytest.mark.parametrize(
    ("lunmap", "paths", "host", "is_only_way"),
    [
        (FLOATING, (GROUP,), HOST, True),
        (FLOATING, (replace(GROUP, standby=("n2",)),), HOST, False),
        (FLOATING, (GROUP,), replace(HOST, at=(), missing=("n1",)), True),
        (FLOATING, (replace(GROUP, standby=("n2",)),), replace(HOST, at=(), missing=("n1",)), False),
        (FLOATING, (replace(GROUP, node="n2"),), replace(HOST, at=("n2",)), False),
        (MIXED, (NodePath("n1", "ok"), NodePath("n3", "ok"), GROUP), replace(HOST, at=("n1", "n3")), False),
        (MIXED, (NodePath("n1", "ok"), NodePath("n3", "dead"), replace(GROUP, standby=("n2",))), HOST, True),
        (MIXED, (NodePath("n1", "ok"), replace(GROUP, standby=("n2",))), replace(HOST, at=()), False),
    ],
    ids=[
        "nobody else", "it can move", "nobody else, nobody logged in", "it can move, nobody logged in",
        "another owner", "logged in elsewhere", "maybe in the node's own TPG", "may use the group",
    ],
)  # fmt: skip
def test_an_owner_is_the_only_way_if_the_group_can_not_move(
    lunmap: Lunmap,
    paths: tuple[NodePath, ...],
    host: Host,
    is_only_way: bool,  # noqa: FBT001
) -> None:
    """A host behind a floating group that another node can own loses nothing with the owner."""
    found = list(find_only_ways(lunmap, [LunPaths("a", 0, 1, paths, (host,))], "n1"))
    assert bool(found) is is_only_way
    assert all(path.node != "n1" for way in found for path in way.others)
