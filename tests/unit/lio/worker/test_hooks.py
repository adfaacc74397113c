"""Hooks as programs: what they get, what their end means, and that none outlives its limit."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.wait import wait_until
from lunmapd.clock import boot_time
from lunmapd.core.floating.promotion import HookAction, HookCall, HookResult, Promotion
from lunmapd.lio.worker.hook_lease import HookLease, HookLeases
from lunmapd.lio.worker.run_hook import HookDirectories, RunHook, run_hook
from lunmapd.lio.worker.switch import SwitchAction, SwitchRequest, switch_hook

CALL = HookCall("disk", "iqn.2026-01.org.example:t", "n1,n2", "n1", (("a", "/dev/a"), ("b", "/dev/b")))
Install = Callable[[str], RunHook]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Give what writes the hook, and returns what runs it."""

    def written(script: str) -> RunHook:
        path = tmp_path / "disk"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        where = HookDirectories(str(tmp_path), str(tmp_path))
        return lambda action, call, limit: run_hook(action, call, limit, where)

    return written


def later() -> float:
    """Return a limit that no hook of a test reaches."""
    return boot_time() + 30


def test_a_hook_gets_the_action_and_the_devices(install: Install, capfd: pytest.CaptureFixture[str]) -> None:
    """The rest is in its environment. Its last line is its message, and it is logged."""
    run = install(
        'echo first; echo "$*, $LUNMAPD_NODE, $LUNMAPD_TARGET, $LUNMAPD_GROUP, $LUNMAPD_LUNS"; exit 4'
    )
    message = f"promote /dev/a /dev/b, n1, {CALL.target}, n1,n2, a b"
    assert run(HookAction.PROMOTE, CALL, later) == HookResult(4, message)
    assert capfd.readouterr().err == f"hook disk promote for n1,n2 of {CALL.target} ended with 4: {message}\n"
    run(HookAction.STATUS, CALL, later)
    assert capfd.readouterr().err == ""


def test_a_hook_that_does_not_end_is_killed_with_its_children(install: Install, tmp_path: Path) -> None:
    """The limit may come nearer while it runs."""
    run = install(f"echo waits; sleep 60 & echo $! >{tmp_path}/child; wait")
    end = [boot_time() + 30]

    def limit() -> float:
        if (tmp_path / "child").exists():
            end[0] = 0.0
        return end[0]

    assert run(HookAction.PROMOTE, CALL, limit) == HookResult(None, "it was killed: waits")
    child = int((tmp_path / "child").read_text())
    wait_until("the child has ended", lambda: _has_ended(child))


def _has_ended(child: int) -> bool:
    stat = Path(f"/proc/{child}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o644])
def test_a_hook_that_others_could_change_is_not_run(install: Install, tmp_path: Path, mode: int) -> None:
    """It runs as root."""
    run = install("exit 0")
    (tmp_path / "disk").chmod(mode)
    found = run(HookAction.PROMOTE, CALL, later)
    assert found.status is None
    assert "chmod" in found.message


def test_a_missing_hook_is_reported(install: Install, tmp_path: Path) -> None:
    """So is one without an interpreter."""
    run = install("exit 0")
    (tmp_path / "disk").write_text("#!/no/such/shell\n")
    assert "No such file" in run(HookAction.PROMOTE, CALL, later).message
    (tmp_path / "disk").unlink()
    assert "No such file" in run(HookAction.PROMOTE, CALL, later).message


def test_an_earlier_run_is_waited_for(install: Install, tmp_path: Path) -> None:
    """The hook holds the lock as long as it runs, also after the process that started it."""
    run = install("ls -l /proc/$$/fd | grep -o lunmapd-hook-.*")
    name = run(HookAction.DEMOTE, CALL, later).message
    with (tmp_path / name).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        limit = boot_time() + 0.2
        found = run(HookAction.DEMOTE, CALL, lambda: limit)
    assert found == HookResult(None, "an earlier run of the hook has not ended")


STATEFUL = """
[ $1 = status ] && exit $(cat {state})
[ $1 = promote ] && echo 0 >{state}
[ $1 = demote ] && echo 3 >{state}
echo $1 >>{log}
"""


@pytest.fixture
def lease(install: Install, tmp_path: Path) -> HookLease:
    """Give the lease of a hook that keeps its state in a file."""
    (tmp_path / "state").write_text("3\n")
    return HookLease(install(STATEFUL.format(state=tmp_path / "state", log=tmp_path / "log")))


def test_a_lease_promotes_until_it_is_dropped(lease: HookLease, tmp_path: Path) -> None:
    """A late request promotes nothing."""
    assert lease.read(CALL).promotion is Promotion.DEMOTED
    with pytest.raises(TimeoutError, match="too late"):
        lease.promote(CALL, boot_time() - 1, boot_time() + 6)
    lease.promote(CALL, boot_time() + 1, boot_time() + 30)
    wait_until("it is promoted", lambda: lease.read(CALL).promotion is Promotion.PROMOTED)
    lease.demote(CALL)
    wait_until("it is demoted", lambda: lease.read(CALL).promotion is Promotion.DEMOTED)
    assert (tmp_path / "log").read_text().split() == ["promote", "demote"]
    lease.forget()


def test_a_lease_that_nobody_extends_ends(lease: HookLease, tmp_path: Path) -> None:
    """The daemon may have been stopped."""
    lease.promote(CALL, boot_time() + 1, boot_time() + 1)
    state = tmp_path / "state"
    wait_until("it is promoted", lambda: state.read_text() == "0\n")
    wait_until("it is demoted", lambda: state.read_text() == "3\n")
    lease.forget()


def test_requests_reach_the_lease_of_their_group(install: Install, tmp_path: Path) -> None:
    """A group that has another hook, or none, is forgotten."""
    (tmp_path / "state").write_text("3\n")
    hooks = HookLeases(install(STATEFUL.format(state=tmp_path / "state", log=tmp_path / "log")))

    def ask(action: SwitchAction, hook: HookCall | None = CALL, not_after: float = 0.0) -> object:
        answer = switch_hook(SwitchRequest(1, action, group="g", hook=hook, not_after=not_after), hooks)
        return answer.error or (answer.hook and answer.hook.promotion)

    assert ask(SwitchAction.READ_HOOK) == "demoted"
    assert ask(SwitchAction.DEMOTE) == "demoted"
    assert "too late" in str(ask(SwitchAction.PROMOTE))
    first = hooks.of("g", "disk")
    assert hooks.of("g", "disk") is first
    assert hooks.of("g", "other") is not first
    assert ask(SwitchAction.FORGET_HOOK, None) is None
    assert ask(SwitchAction.FORGET_HOOK, None) is None
