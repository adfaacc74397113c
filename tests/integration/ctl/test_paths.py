"""The lag of nodes and the paths of each Lun in lunmapctl."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.loop.policy import Policy
from lunmapd.client import Client, Lag
from lunmapd.core.base.lunmap import (
    Group,
    Initiator,
    Lunmap,
    Node,
    NodeState,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.fleet.status import MAX_LOGINS
from lunmapd.core.node.observed import IscsiSession as Seen
from lunmapd.service.ctl.text.summary import summary, without_clock
from lunmapd.store.session.session import Session
from support.agents import MAP, A, AgentFactory, B, H, T, put_checked
from support.cluster import Ctl
from support.commits import NOW
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration

G = "iqn.2026-01.org.example:g"
SHARED = Shared(Scope.OFF, Scope.OFF)
TWO = Lunmap(
    {"a": replace(A, shared=SHARED), "b": replace(B, nodes=("n1",))},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})},
    MAP.initiators,
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)
RENAMED = replace(TWO, initiators={H: Initiator(alias="renamed")})


class Pair:
    """Two nodes of one map, each with a kernel of its own, and lunmapctl."""

    def __init__(self, session: Session, directory: Path) -> None:
        self._session = session
        self.kernels = FakeLio(), FakeLio()
        self.agents = [
            AgentFactory(session, kernel, place)(node=place.name)
            for kernel, place in zip(self.kernels, _places(directory), strict=True)
        ]
        self.ctl = Ctl(session.hosts, session.root)

    def follow(self, lunmap: Lunmap | None = None, *rebacking: str) -> None:
        """Commit a map, and let both nodes follow it; some Luns may change their paths."""
        if lunmap is not None:
            put_checked(self._session, lunmap, *rebacking)
        for agent in self.agents:
            agent.run_cycle()
            agent.tidy()

    def audit(self) -> None:
        """Let both nodes make a full pass, as after `resync` seconds."""
        for agent in self.agents:
            agent.adopt(Policy())
            agent.run_cycle()
            agent.tidy()

    def login(self, number: int, *initiators: str) -> None:
        """Let a node see who is logged in from now on."""
        self.kernels[number - 1].sessions = tuple(Seen(T, number, name, "LOGGED_IN") for name in initiators)
        self.agents[number - 1].run_cycle()

    def lines(self, *words: str, expect: int | None) -> list[str]:
        """Return what `status` prints below its first table, without empty lines."""
        out = self.ctl("status", *words, expect=expect).out
        return [line for line in out.partition("SINCE\n")[2].splitlines()[2:] if line]

    def told(self) -> dict[str, Any]:
        """Return `status -o json --luns`."""
        found: dict[str, Any] = json.loads(self.ctl("status", "-o", "json", "--luns", expect=None).out)
        return found


def _places(directory: Path) -> tuple[Path, Path]:
    found = directory / "n1", directory / "n2"
    for place in found:
        place.mkdir()
    return found


@pytest.fixture
def pair(session: Session, tmp_path: Path) -> Pair:
    """Give two nodes that have applied the map."""
    found = Pair(session, tmp_path)
    found.follow(TWO)
    return found


def test_with_all_paths_the_status_is_short(pair: Pair) -> None:
    """Luns are listed only on request: then each is a line, and a node counts as one path."""
    assert pair.lines(expect=0) == []
    assert [line.split("  ")[0] for line in pair.lines("--luns", expect=0)] == ["LUN", "a", "b"]
    assert pair.lines("--bad", expect=0) == []
    assert [line.split("  ")[0] for line in pair.lines("b", expect=0)] == ["LUN", "b"]
    assert "no host, Lun or node 'x'" in pair.ctl("status", "x", expect=2).err
    assert pair.lines("--luns", expect=0)[1].split() == [
        "a",
        "-",
        "2/2",
        "n1",
        "ok,",
        "n2",
        "ok",
        "0/1",
        "logged",
        "in",
    ]
    told = pair.told()
    assert (told["lun_count"], told["lun_troubles"], told["lost_logins"]) == (2, [], [])
    assert told["luns"][1]["paths"] == [{"node": "n1", "state": "ok"}]
    assert json.loads(pair.ctl("status", "-o", "json").out)["luns"] is None


def test_a_node_that_does_not_follow_lags(pair: Pair) -> None:
    """It is behind by the revisions that it lacks, since the first of them was committed."""
    put_checked(pair._session, RENAMED)
    put_checked(pair._session, TWO)
    pair.agents[0].run_cycle()
    one, other = pair.told()["nodes"]
    assert (one["behind"], one["behind_since"], one["lag"]) == (0, "", 0.0)
    assert (other["behind"], other["behind_since"]) == (2, NOW)
    assert other["lag"] > 3600
    row = pair.ctl("status", expect=6).out.splitlines()[5].split()
    assert (row[0], row[5], row[6][-1]) == ("n2", "2", "h")
    answer = pair.ctl("check", expect=1).out
    assert "behind=1" in answer
    assert float(answer.partition("lag=")[2].partition("s ")[0]) >= other["lag"] - 1


def test_a_lag_is_told_though_the_history_is_cut(pair: Pair) -> None:
    """Since when is not known then, and by how much is."""
    for lunmap in (RENAMED, TWO, RENAMED):
        put_checked(pair._session, lunmap)
    Client(pair._session).trim(keep=1)
    one, _ = pair.told()["nodes"]
    assert (one["behind"], one["behind_since"], one["lag"]) == (3, "", None)
    assert {path["state"] for lun in pair.told()["luns"] for path in lun["paths"]} == {"behind"}
    assert "lag=U" in pair.ctl("check", expect=1).out


def test_of_a_node_far_behind_little_is_read(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node far behind is compared with one revision only, so all of its paths count as behind."""
    monkeypatch.setattr("lunmapd.store.tree.behind.MAX_BEHIND", 1)
    put_checked(pair._session, RENAMED)
    put_checked(pair._session, TWO)
    fleet = Client(pair._session).fleet()
    assert set(fleet.missed) == {2}
    assert fleet.lag("n1") == Lag(2, NOW)
    found = fleet.lun_paths(datetime.now(UTC))
    assert {path.state for lun in found for path in lun.paths} == {"behind"}


def test_a_node_of_another_history_has_no_lag(pair: Pair, session: Session) -> None:
    """A revision of another tree, or of a rewound one, has no lag."""
    status = pair.agents[1].status
    with PlainClient(session) as shell:
        text = shell.get("members/n2/status").decode()
        assert status.applied is not None
        shell.set("members/n2/status", text.replace(status.applied.cluster, "another").encode())
        _, other = pair.told()["nodes"]
        assert (other["behind"], other["lag"]) == (None, None)
        shell.set("members/n2/status", text.replace('"revision":1', '"revision":7').encode())
        _, other = pair.told()["nodes"]
        assert (other["applied"], other["behind"]) == (7, None)


def test_an_import_in_parts_is_missed_since_its_last_part(
    pair: Pair, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes could not follow it before, however long ago it was begun."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 8)
    mapped_luns = {f"{G}{number}": Initiator() for number in range(12)}
    later = replace(TWO, initiators={**TWO.initiators, **mapped_luns})
    put_checked(session, later)
    with PlainClient(session) as shell:
        newest = Client(session).newest()
        assert newest > 2
        first = "revisions/0000000002"
        shell.set(first, shell.get(first).replace(NOW.encode(), b"2020-01-01T00:00:00Z"))
        put_checked(session, TWO)
        one, _ = pair.told()["nodes"]
    assert (one["behind"], one["behind_since"]) == (Client(session).newest() - 1, NOW)
    known = Client(session).fleet()
    assert Client(session).fleet(known).missed == known.missed


def test_only_what_changed_is_behind(pair: Pair) -> None:
    """A Lun that the missed revisions don't touch has its paths.

    A new one has none yet, which is no outage.
    """
    more = {**TWO.luns, "c": replace(A, serial="c" * 32, backing=replace(A.backing, path="/dev/c"))}
    more["c"] = replace(more["c"], shared=SHARED, maps=(replace(A.maps[0], lun=7),))
    put_checked(pair._session, replace(TWO, luns=more))
    assert pair.lines(expect=6) == ["luns/c: 0 of 2 paths: n1 behind, n2 behind"]
    assert "luns_degraded=1 luns_without_path=0" in pair.ctl("check", expect=1).out
    pair.agents[0].run_cycle()
    assert pair.lines(expect=6) == ["luns/c: 1 of 2 paths: n2 behind"]


def test_a_device_that_is_missing_costs_its_path_only(pair: Pair) -> None:
    """The Lun is named with node and reason.

    A check warns while another node serves it, and is critical after that.
    """
    wanted = replace(
        TWO, luns={**TWO.luns, "a": replace(TWO.luns["a"], backing=replace(A.backing, path="/dev/x"))}
    )
    pair.kernels[1].missing.add("/dev/x")
    pair.follow(wanted, "a")
    assert "luns/a: 1 of 2 paths: n2 BackingDeviceMissing" in pair.lines(expect=6)
    row = pair.lines("--luns", expect=6)[1]
    assert "1/2" in row
    assert "n1 ok, n2 BackingDeviceMissing" in row
    assert "luns=2 luns_degraded=1 luns_without_path=0" in pair.ctl("check", expect=1).out
    pair.kernels[0].missing.add("/dev/x")
    pair.agents[0].run_cycle()
    assert "luns/a: no path: n1 BackingDeviceMissing, n2 BackingDeviceMissing" in pair.lines(expect=6)
    answer = pair.ctl("check", expect=2).out
    assert answer.startswith("LUNMAP CRITICAL - ")
    assert "luns_degraded=0 luns_without_path=1" in answer


def test_a_dead_node_costs_all_its_paths(pair: Pair, session: Session) -> None:
    """The missing Luns of a dead node are reported together; a drained node is not."""
    with PlainClient(session) as shell:
        shell.delete("members/n2/live")
    assert pair.lines(expect=6) == ["luns/a: 1 of 2 paths: n2 DEAD"]
    drained = replace(TWO.nodes["n2"], state=NodeState.DRAINED)
    put_checked(session, replace(TWO, nodes={**TWO.nodes, "n2": drained}))
    pair.agents[0].run_cycle()
    assert pair.lines(expect=6) == []
    assert "1/1" in pair.lines("--luns", expect=6)[1]


def test_a_lost_login_is_noted_and_is_no_alarm(pair: Pair) -> None:
    """An initiator with a session at one of two nodes is named.

    One without any may be off: the exit code is 0. A note of Luns that the host may still hold, since their
    maps were removed, is no alarm either.
    """
    former = [f"note: n1, n2: {H} may still hold former LUNs of {T}"]
    pair.follow(replace(TWO, luns={"a": replace(TWO.luns["a"], maps=())}))
    seen = {"a": replace(TWO.luns["a"], maps=(replace(A.maps[0], initiator="", group="both"),))}
    initiators = {H: Initiator(), G: Initiator()}
    pair.follow(replace(TWO, luns=seen, initiators=initiators, groups={"both": Group((H, G))}))
    pair.login(1, H)
    lost, *others = pair.lines(expect=0)
    assert lost == f"note: {H}: logged in to {T} at n1, not at n2"
    assert [line.partition(", until")[0] for line in others] == former
    assert f"1/2 logged in; {H} not at n2" in pair.lines("--luns", expect=0)[1]
    assert pair.told()["lost_logins"] == [
        {"initiator": H, "target": T, "at": ["n1"], "missing": ["n2"], "luns": 1}
    ]
    answer = pair.ctl("check", expect=0).out
    assert answer.startswith("LUNMAP OK - ")
    assert "lost_logins=1" in answer
    pair.login(2, H)
    assert [line.partition(", until")[0] for line in pair.lines(expect=0)] == former


def test_too_many_logins_are_not_known(pair: Pair) -> None:
    """A node that doesn't list its sessions is not reported to lack one."""
    pair.login(1, H)
    pair.login(2, *(f"{G}{number}" for number in range(MAX_LOGINS + 1)))
    assert pair.lines(expect=0) == []
    assert "1/1 logged in; unknown at n2" in pair.lines("--luns", expect=0)[1]


def test_the_time_alone_is_no_change(pair: Pair) -> None:
    """A watched status is not printed again when only the lag has grown."""
    put_checked(pair._session, RENAMED)
    fleet = Client(pair._session).fleet()
    first, second = summary(fleet), summary(fleet)
    assert first != second
    assert without_clock(first) == without_clock(second)


def test_garbage_for_a_time_is_no_error(pair: Pair, session: Session) -> None:
    """With any garbage from a plain client the status is printed."""
    with PlainClient(session) as shell:
        status = shell.get("members/n2/status").decode()
        time = json.loads(status)["time"]
        shell.set("members/n2/status", status.replace(time, "soon").encode())
    assert pair.ctl("status").out.count("alive") == 2


def test_nodes_that_opened_different_devices_are_told_of(pair: Pair) -> None:
    """Different sizes under one WWID are a problem of the Lun, until they are equal."""
    for kernel, size in zip(pair.kernels, (96 << 20, 64 << 20), strict=True):
        kernel.sizes["/dev/a"] = size
    pair.follow(TWO)
    line = (
        "luns/a: its nodes have opened backings of different sizes in bytes, and initiators see one size for "
        "each path: 100663296 on n1; 67108864 on n2"
    )
    assert line in pair.lines(expect=6)
    assert "luns_different=1" in pair.ctl("check", expect=1).out
    (told,) = pair.told()["backing_differences"]
    assert told == {
        "lun": "a",
        "kind": "size",
        "values": {"100663296": ["n1"], "67108864": ["n2"]},
        "serious": True,
    }
    client = Client(pair._session)
    before = client.fleet()
    assert client.fleet(before).backings["n1"] is before.backings["n1"]
    pair.kernels[1].sizes["/dev/a"] = 96 << 20
    pair.audit()
    assert line not in pair.lines(expect=None)
    assert "luns_different=0" in pair.ctl("check", expect=None).out
