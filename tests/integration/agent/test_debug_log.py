"""The debug log of a node on a real ZooKeeper: each choice with its cause, and no secret."""

import logging
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lab.wait import wait_until
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.documents import encode
from lunmapd.core.base.events import Event
from lunmapd.core.base.lunmap import Authentication, Chap, Initiator
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.secrets.sealing import Vault
from lunmapd.service.keyfile import add_key, read_keys
from lunmapd.store.session.credentials import Credentials, PasswordLogin
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.agents import MAP, A, AgentFactory, H, T, applied, confirm, mapped_luns, put_checked
from support.daemon import running
from support.debug_log import lines, values
from support.plain_client import PlainClient
from support.sessions import Connect, expire

pytestmark = pytest.mark.integration

RARELY = Policy(audit=3600.0, resync=3600.0)
WORD = "a word for the host"


@pytest.fixture(autouse=True)
def _debug(caplog: pytest.LogCaptureFixture) -> None:
    """Log at level debug, kazoo too."""
    caplog.set_level(logging.DEBUG)


def test_each_read_says_how_much_it_read_and_why(
    session: Session, make_agent: AgentFactory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A start, new settings and a due full read read everything; others the changes, the head, or nothing."""
    put_checked(session, MAP)
    agent = make_agent(policy=Policy(full_read=100.0), now=clock)
    agent.run_cycle()
    put_checked(session, replace(MAP, luns={"a": A}))
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.set("head", shell.get("head"))
    agent.run_cycle()
    agent.run_cycle()
    clock.now += 120
    agent.run_cycle()
    agent.adopt(Policy())
    agent.run_cycle()
    assert values(caplog.records, Event.READ_FULL, "reason") == [
        "the daemon has just started",
        "full_read is due",
        "the settings were read again",
    ]
    assert lines(caplog.records, Event.READ_DELTA) == ["delta read of the tree: 1 revisions, from 1 to 2"]
    assert values(caplog.records, Event.READ_HEAD, "revision") == ["2"]
    assert lines(caplog.records, Event.READ_NOTHING)[-1] == "read of the tree: nothing new after revision 2"


def test_a_read_that_needs_everything_names_the_reason(
    session: Session, make_agent: AgentFactory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing revision, or out-of-band edits below a new revision, need a full read."""
    put_checked(session, MAP)
    agent = make_agent(policy=Policy(full_read=100.0), now=clock)
    agent.run_cycle()
    with PlainClient(session) as shell:
        put_checked(session, replace(MAP, luns={}))
        put_checked(session, replace(MAP, luns={"a": A}))
        shell.delete("revisions/0000000002")
        agent.run_cycle()
        shell.set("luns/a", encode(replace(A, maps=())))
    clock.now += 120
    agent.run_cycle()
    put_checked(session, MAP)
    agent.run_cycle()
    assert values(caplog.records, Event.READ_FULL, "reason")[1:] == [
        "a new revision is missing from the history",
        "full_read is due",
        "the last read found out-of-band edits, and head changed",
    ]


def test_each_pass_says_whether_it_is_full_and_why(
    session: Session, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A change of Luns is a partial pass; other changes, failures and drift need a full one."""
    put_checked(session, mapped_luns(*range(10)))
    agent = make_agent(policy=RARELY)
    agent.run_cycle()
    put_checked(session, mapped_luns(*range(11)))
    agent.run_cycle()
    assert lines(caplog.records, Event.FULL_RECONCILE) == ["full pass by revision 1: the first one"]
    assert lines(caplog.records, Event.PARTIAL_RECONCILE) == [
        "partial pass by revision 2: 4 objects of 1 Luns"
    ]
    assert lines(caplog.records, Event.RECONCILED)[1:] == [
        "revision 2: 3 steps done, 0 objects fail, 0 steps remain"
    ]
    caplog.clear()
    put_checked(session, replace(mapped_luns(*range(11)), initiators={H: Initiator(alias="host")}))
    agent.run_cycle()
    half = lio_objects.Leftover("hba", "core/fileio_10777")
    make_agent.kernel.objects[lio_objects.key_of(half)] = half
    put_checked(session, replace(mapped_luns(*range(12)), initiators={H: Initiator(alias="host")}))
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1))
    agent.run_cycle()
    assert values(caplog.records, Event.FULL_RECONCILE, "reason") == [
        "an initiator changed",
        "the worker can't observe the changed objects alone",
        "an initiator changed",
    ]
    (held,) = lines(caplog.records, Event.RECONCILE_HELD)
    assert "is held until it is confirmed: it would" in held


def test_a_partial_pass_that_is_not_enough_names_the_reason(
    session: Session, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Drift in its objects, a mass removal, and a step with an unexpected result need a full pass."""
    put_checked(session, mapped_luns(*range(10)))
    agent = make_agent(policy=RARELY)
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1))
    agent.run_cycle()
    confirm(session, 2)
    agent.run_cycle()
    agent.adopt(RARELY)
    agent.run_cycle()
    make_agent.kernel.missing.add("/dev/l3")
    put_checked(session, mapped_luns(0, 1, 3))
    agent.run_cycle()
    assert values(caplog.records, Event.FULL_RECONCILE, "reason") == [
        "the first one",
        "the change removes much",
        "the last pass was held until the removal is confirmed",
        "the settings were read again",
        "the changed objects are not as desired after the steps",
    ]


def test_drift_and_disruption_are_reasons_for_a_full_pass(
    session: Session, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A changed Lun with a drifted mapping, and a removal above the disruption limit, need a full pass."""
    put_checked(session, mapped_luns(*range(10)))
    agent = make_agent(policy=replace(RARELY, allow=Disruption.NONE, report=frozenset({"mapped_lun"})))
    agent.run_cycle()
    del make_agent.kernel.objects["mapped_lun", T, 1, H, 1]
    lunmap = mapped_luns(*range(10))
    changed = replace(lunmap.luns["l1"], attributes={"emulate_tpu": 1})
    put_checked(session, replace(lunmap, luns={**lunmap.luns, "l1": changed}))
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1, 2, 3, 4, 5, 6, 7, 8))
    agent.adopt(replace(RARELY, allow=Disruption.NONE))
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1, 2, 3, 4, 5, 6, 7))
    agent.run_cycle()
    assert values(caplog.records, Event.FULL_RECONCILE, "reason") == [
        "the first one",
        "the changed objects have drifted",
        "the settings were read again",
        "the change may disrupt initiators",
    ]


def test_what_fails_is_named_and_deferred(
    session: Session, make_agent: AgentFactory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Failed objects are counted by reason, and the pause ends with the first retry."""
    put_checked(session, MAP)
    make_agent.kernel.missing.add("/dev/a")
    agent = make_agent(policy=RARELY, now=clock)
    cycle = agent.run_cycle()
    assert not cycle.converged
    (line,) = lines(caplog.records, Event.WITHHELD)
    assert line == (
        "3 objects are not as desired. BackingDeviceMissing 1: storage_object a; "
        f"Waiting 2: lun {T} 1 a, mapped_lun {T} 1 {H} 0"
    )
    assert agent.pause(cycle) == 5.0
    assert lines(caplog.records, Event.PAUSED) == ["waits at most 5.0 s, until back-off"]


def test_a_cycle_logs_a_few_lines_whatever_the_number_of_luns(
    session: Session, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """At level debug there is no line for each object, neither of what is read nor of what fails."""
    put_checked(session, mapped_luns(*range(200)))
    make_agent.kernel.missing |= {f"/dev/l{number}" for number in range(200)}
    caplog.clear()
    make_agent(policy=RARELY).run_cycle()
    assert len([record for record in caplog.records if record.levelno == logging.DEBUG]) < 15


def test_a_status_is_written_or_not_for_a_reason(
    session: Session, make_agent: AgentFactory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A changed status is written.

    Otherwise the log says when the heartbeat is due, or which error prevented it.
    """
    put_checked(session, MAP)
    agent = make_agent(policy=RARELY, now=clock)
    agent.run_cycle()
    agent.run_cycle()
    assert values(caplog.records, Event.STATUS_WRITTEN, "reason") == ["it changed"]
    (line,) = lines(caplog.records, Event.STATUS_UNCHANGED)
    assert line.startswith("status not written: it is unchanged, its heartbeat is due in ")
    session.close()
    agent.run_cycle()
    assert values(caplog.records, Event.STATUS_FAILED, "reason") == ["Unreachable"]


def test_the_loop_says_what_woke_it_and_which_session_it_has(
    session: Session, connect: Connect, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A commit wakes it by the watch, an expired session by its end; ids are those of ZooKeeper's log."""
    mine = connect()
    agent = make_agent(mine, policy=RARELY)
    with running(agent):
        put_checked(session, MAP)
        wait_until("revision 1 is applied", lambda: applied(agent) == 1)
        old = mine.session_id
        expire(mine)
        wait_until("there is another session", lambda: mine.session_id not in {None, old})
        put_checked(session, replace(MAP, luns={}))
        wait_until("revision 2 is applied", lambda: applied(agent) == 2)
    assert old is not None
    causes = {cause for text in values(caplog.records, Event.WOKEN, "causes") for cause in text.split(", ")}
    assert {"start", "watch", "session"} <= causes
    assert f"ZooKeeper: new session {old:#x} through {mine.hosts}" in lines(caplog.records, Event.SESSION_NEW)
    assert f"ZooKeeper: session {old:#x} ended: it expired" in lines(caplog.records, Event.SESSION_LOST)
    assert {f"{old:#x}", f"{mine.session_id:#x}"} <= set(values(caplog.records, Event.SESSION_NEW, "session"))


def test_no_secret_is_in_the_debug_log(
    session: Session, kernel: FakeLio, root: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No CHAP password, key or login password is in any line, field or argument, not even kazoo's."""
    login = PasswordLogin("n1", tmp_path / "password")
    login.password.touch(mode=0o600)
    login.password.write_text("the node's own word\n")
    key_file = tmp_path / "secrets.key"
    add_key(key_file, b"k" * 32)
    vault = Vault(read_tree(session).cluster, read_keys(key_file))
    password = vault.seal(f"initiators/{H}", "chap", Secret(WORD), b"n" * 12)
    targets = {T: replace(MAP.targets[T], authentication=Authentication.CHAP)}
    put_checked(session, replace(MAP, targets=targets, initiators={H: Initiator("", Chap("bob", password))}))
    with Session(session.hosts, root, credentials=Credentials(digest=login)) as mine:
        agent = AgentFactory(mine, kernel, tmp_path)(policy=RARELY)
        assert agent.run_cycle().converged
        sent = mine.link.current.client_id
    assert sent is not None
    assert [item for item in kernel.objects.values() if WORD in str(getattr(item, "credentials", ""))] == []
    assert any(record.name.startswith("kazoo") for record in caplog.records)
    logged = "\n".join(str(vars(record)) + record.getMessage() for record in caplog.records)
    keys = [line for line in key_file.read_text().splitlines() if not line.startswith("#")]
    secrets = [WORD, "the node's own word", *(line.split()[-1] for line in keys), sent[1].hex(), str(sent[1])]
    assert [secret for secret in secrets if secret in logged] == []
