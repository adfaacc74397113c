"""The status of nodes in lunmapctl: once, watched, and for monitoring systems."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lab.wait import wait_until
from lunmapd.client import Client, NotAppliedError
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Initiator, Node
from lunmapd.core.node.observed import LoginCounters
from lunmapd.store.session.session import Session
from support.agents import MAP, AgentFactory, H, T, put_checked
from support.cluster import Ctl
from support.daemon import running
from support.plain_client import PlainClient

pytestmark = pytest.mark.integration


def test_a_check_says_that_all_is_well(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """With every node at the newest revision it is OK, with figures."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    answer = ctl("check", expect=0)
    assert (
        answer.out
        == "LUNMAP OK - 1 nodes have applied revision 1 | revision=1 nodes=1 alive=1 behind=0 lag=0s failing=0 sessions=0 "
        "luns=2 luns_degraded=0 luns_without_path=0 luns_different=0 lost_logins=0 "
        "refused_logins=0\n"
    )


def test_a_check_tells_what_fails(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """A failure is one line; a failure that leaves a Lun without any path is critical, and comes first."""
    make_agent.kernel.missing.add("/dev/a")
    put_checked(session, MAP)
    make_agent().run_cycle()
    answer = ctl("check", expect=2)
    begin = "LUNMAP CRITICAL - luns/a: no path: n1 BackingDeviceMissing; n1: Applied: Failing"
    assert answer.out.startswith(begin)
    assert (answer.out.count("no path"), answer.out.count("\n")) == (1, 1)
    assert "behind=1 lag=U failing=1" in answer.out


def test_a_refused_login_is_noted_and_its_end_too(
    session: Session, make_agent: AgentFactory, ctl: Ctl, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Within one observation, with its cause; it ends a quarter of an hour after the last refusal."""
    put_checked(session, MAP)
    agent = make_agent(now=clock)
    agent.run_cycle()
    assert "refused" not in ctl("status", expect=0).out
    make_agent.kernel.login_counters = (
        LoginCounters(T, authenticate_fails=2, negotiate_fails=2, name=H, address="10.0.0.5"),
    )
    for isid in ("1", "2", "3"):
        make_agent.kernel.log_in(T, H, isid)
    caplog.set_level("INFO")
    agent.run_cycle()
    sentence = f"{H} at 10.0.0.5 was refused by {T}: its CHAP credentials are wrong or missing"
    assert f"note: n1: {sentence}, 2 times, last at " in ctl("status", expect=0).out
    answer = ctl("check", expect=1).out
    assert answer.startswith(f"LUNMAP WARNING - n1: {sentence}")
    assert (" sessions=3 " in answer, " refused_logins=2" in answer) == (True, True)
    agent.run_cycle()
    assert caplog.text.count(sentence) == 1
    clock.now += 900.0
    agent.run_cycle()
    assert ctl("check", expect=0).out.startswith("LUNMAP OK - ")
    assert f"{T} has refused no login for its authentication lately" in caplog.text


def test_a_dead_node_is_critical(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """A dead node of the map is reported first."""
    put_checked(session, replace(MAP, nodes={**MAP.nodes, "n2": Node(2, ("10.0.0.2:3260",))}))
    make_agent().run_cycle()
    assert ctl("check", expect=2).out.startswith("LUNMAP CRITICAL - n2 is dead")


@pytest.mark.parametrize("more", [0, 2, 3, 4])
def test_a_node_that_is_left_with_what_it_had_before_a_restore_has_applied_nothing_of_it(
    session: Session, make_agent: AgentFactory, ctl: Ctl, tmp_path: Path, more: int
) -> None:
    """Until a restored map is confirmed, a node at any revision of the old history counts as behind."""
    client = Client(session)
    put_checked(session, MAP)
    client.backup(tmp_path / "backup")
    for name in "abab":
        put_checked(session, replace(MAP, luns={name: MAP.luns[name]}))
    assert make_agent().run_cycle().converged
    client.restore(tmp_path / "backup", replaced=client.read().cluster)
    for number in range(more):
        put_checked(session, replace(MAP, initiators={H: Initiator(alias=str(number))}))
    make_agent().run_cycle()
    newest = client.newest()
    assert newest == 2 + more
    with pytest.raises(NotAppliedError, match="n1"):
        client.wait_applied(newest, 0.0)
    assert " behind=1 lag=U " in ctl("check", expect=1).out
    assert client.fleet().lag("n1") is None
    client.confirm()
    assert make_agent().run_cycle().converged
    assert client.wait_applied(client.newest(), 0.0).behind(newest) == ()
    assert " behind=0 lag=0s " in ctl("check", expect=0).out


def test_a_node_that_saw_edits_is_not_behind(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """Out-of-band edits are no other history: a node is compared by the revision that it has applied."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", encode(replace(MAP.luns["a"], nodes=("n1",))))
        assert " behind=0 lag=0s " in ctl("check", expect=None).out
        make_agent().run_cycle()
        shell.set("luns/a", encode(replace(MAP.luns["a"], maps=())))
    assert " behind=0 lag=0s " in ctl("check", expect=None).out


def test_without_zookeeper_a_check_is_critical_and_without_a_tree_unknown(session: Session) -> None:
    """Unreachable servers and a missing tree are different results."""
    assert Ctl(session.hosts, f"{session.root}/none")("check", expect=3).out.startswith("LUNMAP UNKNOWN - ")
    answer = Ctl(None, None, ("-c", str(_nowhere())))("check", expect=3)
    assert answer.out.startswith("LUNMAP UNKNOWN - can't read the settings")


def _nowhere() -> Path:
    return Path("/nonexistent/lunmapd.yaml")


def test_watching_prints_what_changes(session: Session, make_agent: AgentFactory) -> None:
    """Without a terminal each change is printed once, and Ctrl-C ends with the last state's exit code."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    words = ("--hosts", session.hosts, "--chroot", session.root, "status", "-w", "0.1", "-o", "json")
    with subprocess.Popen((sys.executable, "-c", _WATCH, *words), stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert _document(watch.stdout)["revision"] == 1
        put_checked(session, replace(MAP, luns={}))
        assert _document(watch.stdout)["revision"] == 2
        watch.send_signal(signal.SIGINT)
        assert watch.wait(120) == 6


# A shell without job control has its background jobs ignore Ctrl-C, and the tests may be one.
_WATCH = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from lunmapd.service.ctl import main
main()
"""


def _document(stream: IO[str]) -> dict[str, object]:
    """Read one indented JSON object."""
    lines = [stream.readline()]
    while lines[-1] != "}\n":
        lines.append(stream.readline())
        assert lines[-1], "it ended"
    found: dict[str, object] = json.loads("".join(lines))
    return found


def test_a_wait_ends_although_another_lun_fails(session: Session, make_agent: AgentFactory, ctl: Ctl) -> None:
    """As before: the line of the node names it. What concerns the commit, or is new, keeps the wait."""
    make_agent.kernel.missing.add("/dev/a")
    put_checked(session, MAP)
    with running(make_agent()):
        wait_until("the node has reported", lambda: "failing=1" in ctl("check", expect=2).out)
        done = ctl("lun", "create", "c", "/dev/c", "--to", "h", "--wait", "60")
        assert "n1: applied revision 2" in done.err
        assert "it has problems that it had before: storage_object a (BackingDeviceMissing)" in done.err
        found = json.loads(ctl("host", "set", "h", "alias=db", "--wait", "60", "-o", "json").out)
        assert found["nodes"]["n1"]["stage"] == "applied"
        concerned = ctl("lun", "set", "a", "size=1MiB", "--wait", "0.2", expect=6)
        assert "n1: failing revision 4" in concerned.err
        make_agent.kernel.missing.add("/dev/d")
        assert "n1: failing" in ctl("lun", "create", "d", "/dev/d", "--to", "h", "--wait", "3", expect=6).err
        assert "n1" in ctl("lun", "set", "d", "size=1MiB", "--wait", "0", expect=6).err
