"""Ctrl-C during a commit: the message says what was committed, whenever it comes."""

import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.client import Client, Proposal
from lunmapd.core.fleet.status import Live
from lunmapd.core.history.changes import diff_maps
from lunmapd.service.ctl.interrupts import raise_interrupts
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_errors import CommitInterruptedError
from lunmapd.store.commit.commit_options import CommitProgress
from lunmapd.store.commit.staged import read_staged, undo_commit
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import register
from lunmapd.store.tree.read import read_tree
from support.commits import NOW, put, terms
from support.maps import luns
from support.preloaded import call_lunmapctl
from support.relay import Relay

pytestmark = pytest.mark.integration

SECONDS = 120.0
ATTEMPTS = 60


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt the main thread after a time, as lunmapctl lets a SIGINT do."""
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGINT)}
    raise_interrupts()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_an_interrupt_at_any_time_states_what_was_committed(session: Session) -> None:
    """Only if the tree has the revision does the error name it, or the client; else nothing was committed."""
    began = time.monotonic()
    put(session, luns(1))
    usual = time.monotonic() - began
    outcomes = set()
    for attempt in range(ATTEMPTS):
        before, client = read_tree(session), Client(session)
        number = before.revision + 1
        after = luns(*range(1, 3 + attempt))
        try:
            with interrupted_after(1.5 * usual * (attempt + 1) / ATTEMPTS):
                client.apply(Proposal(before, after, diff_maps(before.lunmap, after)))
            outcome = "committed"
        except CommitInterruptedError as error:
            assert str(error) == f"revision {number} is committed; stopped waiting"
            outcome = "interrupted, committed"
        except KeyboardInterrupt:
            outcome = "interrupted, committed" if client.committed == number else "interrupted"
        made = read_tree(session)
        assert made.revision == before.revision + (outcome != "interrupted")
        assert made.lunmap == (before.lunmap if outcome == "interrupted" else after)
        outcomes.add(outcome)
    assert "interrupted" in outcomes


def test_a_commit_is_known_before_anything_can_interrupt_it(session: Session) -> None:
    """The client has it once the transaction is answered; an interrupt there finds it in the tree."""
    seen: list[int] = []

    def interrupt(number: int) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    with pytest.raises(CommitInterruptedError, match="revision 1 is committed"):
        commit(session, read_tree(session), luns(1), replace(terms(), committed=interrupt))
    assert seen == [1]


def interrupt_after(parts: int) -> CommitProgress:
    """Make what interrupts a large commit after some parts."""

    def progress(done: int, _: int) -> None:
        if done == parts:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_large_commit_names_its_parts(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees them; the message has both ways out."""
    monkeypatch.setattr("lunmapd.store.commit.sizes.MAX_OPERATIONS", 23)
    options = replace(terms(), progress=interrupt_after(2))
    with pytest.raises(CommitInterruptedError, match=r"after 2 of 3 parts.*--resume.*lunmapctl import undo"):
        commit(session, read_tree(session), luns(*range(1, 51)), options)
    assert read_tree(session).revision == 0
    undo_commit(session, read_staged(session), terms())


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (130, r"\n?lunmapctl: revision 1 is committed; stopped waiting( for n1)?\n"),
        (5, r"lunmapctl: revision 1 is committed; stopped waiting\nlunmapctl: no answer .*\n"),
    ],
)
def test_a_wait_that_ends_early_names_the_revision(
    session: Session,
    root: str,
    tmp_path: Path,
    expected: int,
    said: str,
) -> None:
    """`apply --wait` ends by Ctrl-C, or when no server answers any more: the revision stays."""
    register(session, "n1", Live(machine="m1", boot="b1", version="1", since=NOW))
    reading, writing = os.pipe()
    with (
        Relay(session.hosts) as relay,
        tempfile.TemporaryFile() as given,
        os.fdopen(reading, "rb", 0) as shown,
        os.fdopen(writing, "wb", 0) as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(b"nodes: {n1: {tpg_tag: 1, portals: [10.0.0.1]}}\n")
        given.seek(0)

        def end(pid: int) -> None:
            out.close()
            text = b""
            while (more := shown.read(100)) and b"committed revision 1\n" not in text + more:
                text += more
            if expected == 5:
                relay.shut = True
                relay.drop()
            else:
                os.kill(pid, signal.SIGINT)

        settings = tmp_path / "settings.yaml"
        settings.write_text(f"zookeeper: {{hosts: ['{relay.hosts}'], chroot: {root}, deadline: 2}}\n")
        args = ["-c", str(settings), "apply", "-f", "-", "--wait", "600"]
        code = call_lunmapctl(args, (given, out, err), SECONDS, end)
        err.seek(0)
        assert re.fullmatch(said, err.read().decode())
    assert code == expected
    assert read_tree(session).revision == 1
