"""Rollouts by lunmapctl: it waits for the first nodes, releases or halts, and reports."""

import json
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from lab.wait import PATIENCE, wait_until
from lunmapd.client import Client, Note
from lunmapd.store.session.session import Session
from support.agents import H
from support.cluster import Ctl
from support.daemon import running
from support.preloaded import call_lunmapctl
from support.trying_fleet import MINUTE, Fleet, fleet_map, write_map

pytestmark = pytest.mark.integration


def test_a_first_node_makes_a_mass_removal_that_was_agreed_to(
    session: Session, fleet: Fleet, ctl: Ctl, tmp_path: Path
) -> None:
    """The agreement before the commit confirms it, since 'confirm' would end the rollout."""
    Client(session).apply(fleet_map(*range(1, 12)))
    fleet.run()
    ctl("apply", "-f", write_map(tmp_path, 1), "--replace", "--first", "n1", expect=6)
    words = ("--first", "n1", "--confirm-within", "1m", "--yes")
    assert ctl("apply", "-f", write_map(tmp_path, 1), "--replace", *words).err.splitlines() == [
        "the other nodes than n1 follow revision 3 after 'lunmapctl rollout continue'",
        "revision 3 is undone after 60 s, unless 'lunmapctl confirm' keeps it",
    ]
    fleet.run()
    assert (fleet.shown()[0], fleet.applied()) == ({"l1"}, (3, 2, 2))
    continued = ctl("rollout", "continue", "--wait", "0", expect=6)
    assert "have not applied revision 3 within 0 seconds: n2, n3" in continued.err
    fleet.run()
    assert fleet.shown() == ({"l1"},) * 3
    kept = json.loads(ctl("confirm", "--wait", "0", "-o", "json", expect=6).out)
    assert (kept["revision"], list(kept["nodes"])) == (4, ["n1", "n2", "n3"])


def test_a_first_node_in_good_health_lets_the_others_follow(fleet: Fleet, ctl: Ctl, tmp_path: Path) -> None:
    """After the pause lunmapctl releases the revision by itself; a line for each node says where it is."""
    with ExitStack() as stack:
        for agent in fleet.agents.values():
            stack.enter_context(running(agent))
        words = ("--first", "n1", "--pause", "0", "--wait", "60")
        answer = ctl("apply", "-f", write_map(tmp_path, 1, 2), "--replace", "--yes", *words)
    assert "n1: applied revision 2" in answer.err
    assert "n2: waits revision 2" in answer.err
    assert "n3: applied revision 3" in answer.err
    assert fleet.shown() == ({"l1", "l2"},) * 3


def test_a_new_problem_of_a_first_node_halts_a_rollout(fleet: Fleet, ctl: Ctl, tmp_path: Path) -> None:
    """A device that the first node lacks: exit code 6, the other nodes keep their map, as JSON says."""
    fleet.kernels["n1"].missing.add("/dev/l2")
    with ExitStack() as stack:
        for agent in fleet.agents.values():
            stack.enter_context(running(agent))
        words = ("--first", "n1", "--pause", "0", "--wait", "60", "-o", "json")
        answer = ctl("apply", "-f", write_map(tmp_path, 1, 2), "--replace", "--yes", *words, expect=6)
        shown = json.loads(ctl("rollout", "show", "-o", "json").out)
    assert "n1: storage_object l2: BackingDeviceMissing" in answer.err
    assert "the rollout of revision 2 is halted, and the other nodes wait" in answer.err
    report = json.loads(answer.out)
    assert report["revision"] == 2
    assert report["nodes"]["n1"]["stage"] == "failing"
    assert (shown["revision"], shown["first"], shown["nodes"]["n2"]) == (2, ["n1"], "waits")
    assert fleet.shown()[1:] == ({"l1"}, {"l1"})


@pytest.mark.parametrize(
    "end",
    [
        ("abort", 4, "revision 2 was aborted by bob, and revision 3 undoes it"),
        ("continue", 0, "revision 2 was released to all nodes by another command"),
        ("", 130, "'lunmapctl rollout continue' releases it to the other nodes, 'rollout abort' undoes it"),
    ],
)
def test_a_pause_ends_with_the_rollout(
    fleet: Fleet, ctl: Ctl, tmp_path: Path, end: tuple[str, int, str]
) -> None:
    """Another admin ends it, or Ctrl-C the command alone: then it prints how the rollout goes on."""
    (verb, code, told), pids = end, list[int]()
    words = ("--replace", "--yes", "--first", "n1", "--pause", "10m", "--wait", "60")
    args = [
        "--hosts",
        str(ctl.hosts),
        "--chroot",
        str(ctl.chroot),
        "apply",
        "-f",
        write_map(tmp_path, 1, 2),
        *words,
    ]
    with ExitStack() as stack, tempfile.TemporaryFile() as err, Path(os.devnull).open("r+b") as null:
        for agent in fleet.agents.values():
            stack.enter_context(running(agent))
        pool = stack.enter_context(ThreadPoolExecutor())
        ended = pool.submit(call_lunmapctl, args, (null, null, err), 2 * PATIENCE, pids.append)
        wait_until("n1 tries the revision", lambda: fleet.applied()[0] == 2 and b"n1: applied" in read(err))
        if verb:
            ctl("rollout", verb, "--author", "bob")
        else:
            os.kill(pids[0], signal.SIGINT)
        assert ended.result() == code
        assert told in read(err).decode()
        assert (b"n2: applied revision 2" in read(err)) is (verb == "continue")


def read(file: IO[bytes]) -> bytes:
    """Return what is in a file that another process writes."""
    return os.pread(file.fileno(), 1 << 20, 0)


def test_status_and_check_name_a_rollout(session: Session, fleet: Fleet, ctl: Ctl) -> None:
    """Both say what is tried, and until when; it is a problem, since an admin has to end it."""
    Client(session).apply(fleet_map(1, 2), Note(confirm_within=MINUTE))
    fleet.run()
    sentence = "revision 2 is tried; a live node undoes it after "
    assert sentence in ctl("status", expect=6).out
    assert sentence in ctl("check", expect=1).out
    assert sentence in ctl("rollout", "show").out
    assert f"lunmapctl: note: {sentence}" in ctl("get").err
    refused = ctl("host", "set", H, "alias=x", expect=4)
    assert "the rollout of revision 2 is not over" in refused.err
    assert ctl("confirm").out == "committed revision 3\n"
    assert ctl("rollout", "show").out == "no rollout is under way\n"
