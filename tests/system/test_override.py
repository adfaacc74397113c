"""Steps that would disturb an initiator are held on real nodes under its I/O, until they are allowed."""

import json
from functools import partial
from typing import Any

import pytest

from lab.wait import wait_until
from support.cluster import HOST, SAN, Cluster

pytestmark = pytest.mark.kernel

WWID = "36001405" + "3f1d6c1e00014f0b9f3e7a51c"
ALLOW = "allow: session-drop\n"
DRAINED = "n{0}: {{state: drained, tpg_tag: {0},"


@pytest.fixture(scope="module")
def logged_in(two_nodes: Cluster) -> Cluster:
    """Give two nodes that let no initiator lose its data, and an initiator that is logged in to both."""
    two_nodes.restore(two_nodes.for_two(), ALLOW)
    two_nodes.login()
    return two_nodes


@pytest.fixture
def cluster(logged_in: Cluster) -> Cluster:
    """Give them with the whole map, the volume usable through both, and the logins known to both."""
    logged_in.restore(logged_in.for_two(), ALLOW)
    logged_in.paths(WWID)
    wait_until("both nodes have told of the logins", partial(_told, logged_in, 2))
    return logged_in


def _standing(cluster: Cluster, node: str) -> str:
    return str(cluster.ctl.status()["nodes"][node]["standing"])


def _without(cluster: Cluster, *nodes: int) -> str:
    """Return the map with these nodes drained."""
    text = cluster.for_two()
    for number in nodes:
        text = text.replace(f"n{number}: {{tpg_tag: {number},", DRAINED.format(number))
    return text


def test_the_last_way_to_the_data_is_held_until_there_is_another(cluster: Cluster) -> None:
    """One node may be drained and the other not, until the initiator is back at the first; no I/O is lost."""
    first, second = cluster.nodes
    io = cluster.initiator.verified_io(cluster.paths(WWID).device, offset=1 << 20)
    planned = cluster.ctl.plan(_without(cluster, 1))
    assert (planned["worst"], planned["disturbed"]) == ("session-drop", [HOST])
    refused = cluster.ctl("apply", "-f", "-", "--replace", stdin=_without(cluster, 1), expect=6)
    assert f"session-drop for {HOST}: if that is meant, use --allow session-drop" in refused.err
    text = _without(cluster, 1)
    cluster.ctl("apply", "-f", "-", "--replace", "--allow", "session-drop", "--wait", "120", stdin=text)
    _check_log(cluster, planned)
    cluster.paths(WWID, second)
    cluster.ctl.apply(_without(cluster, 1, 2), wait=None)
    wait_until("n2 holds", lambda: _standing(cluster, "n2") == "held")
    (step,) = json.loads(second.machine.run("lunmapd plan -o json", check=False).stdout)["steps"]
    assert (step["action"], step["disruption"], step["now"], step["held"]) == (
        "delete",
        "data-unreachable",
        "data-unreachable",
        True,
    )
    cluster.paths(WWID, second)
    cluster.ctl.apply(_without(cluster, 2), wait=None)
    wait_until(
        "n2 is drained once the initiator is back at n1", lambda: _standing(cluster, "n2") == "converged"
    )
    cluster.paths(WWID, first)
    cluster.ctl.apply(cluster.for_two())
    cluster.paths(WWID)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)


def test_a_lun_in_use_is_unmapped_by_an_override_only(cluster: Cluster) -> None:
    """A removal is held while the LUN is in use, and done on all nodes after an override; other LUNs stay."""
    sessions = cluster.initiator.sessions()
    first, rest = cluster.for_two().split("  logs:\n", 1)
    less = first + rest[rest.index("  scratch:\n") :]
    planned = cluster.ctl.plan(less)
    assert (planned["holding"], planned["disturbed"]) == (["n1", "n2"], [])
    cluster.ctl("apply", "-f", "-", "--replace", stdin=less)
    for name in ("n1", "n2"):
        wait_until(f"{name} holds", lambda name=name: _standing(cluster, name) == "held")  # type: ignore[misc]
    assert all("/logs" in node.lio() for node in cluster.nodes)
    for name, node in cluster.ctl.status()["nodes"].items():
        held = [step for step in planned["nodes"][name]["steps"] if step["held_for"] == "Held"]
        assert held
        assert all(f"{step['object']}: Held: {step['held']}" in node["problems"] for step in held)
    answer = cluster.ctl("override", "data-unreachable", "--for", "600", "-m", "nobody uses it")
    assert answer.out.startswith("committed revision")
    wait_until("it is gone", lambda: not any("/logs" in node.lio() for node in cluster.nodes))
    wait_until("all is as the map says", cluster.all_well)
    _check_log(cluster, planned)
    assert cluster.initiator.sessions() == sessions
    assert SAN in cluster.nodes[0].lio()


def _check_log(cluster: Cluster, planned: dict[str, Any]) -> None:
    """Check that each node has logged every step that was planned for it, with its class of disruption."""
    for node in cluster.nodes:
        steps = planned["nodes"][node.name]["steps"]
        log = node.log()
        assert [step for step in steps if _logged(step) not in log] == []


def _logged(step: dict[str, str]) -> str:
    disruption = step["disruption"].replace("-", " ")
    return f"{step['action']} {step['object']}: {step['reason']} ({disruption})"


def _told(cluster: Cluster, number: int) -> bool:
    return sum(bool(node["sessions"]) for node in cluster.ctl.status()["nodes"].values()) == number
