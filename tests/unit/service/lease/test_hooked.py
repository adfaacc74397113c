"""A takeover group with a hook, by the process that runs it, on a directory in place of configfs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.wait import wait_until
from lunmapd.agent.floating.addresses import GroupAddresses, HookFailedError, LeaseProcessError
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.promotion import HookCall, Promotion
from lunmapd.lio.worker.switch_process import SwitchProcess
from lunmapd.service.lease.hooked import Hooked
from lunmapd.service.lease.luns import LunStates

PROGRAM = """
import sys
from lunmapd.lio.worker.run_hook import HookDirectories, run_hook
from lunmapd.lio.worker.switch import answer_any, decode_switch_request
from lunmapd.lio.worker.threads import serve_in_threads
where = HookDirectories(sys.argv[1], sys.argv[1])
run = lambda action, call, limit: run_hook(action, call, limit, where)
serve_in_threads(decode_switch_request, answer_any(sys.argv[1], run))
"""
HOOK = """#!/bin/sh
[ $1 = status ] && exit $(cat {state})
[ $1 = promote ] && [ ! -e {refuses} ] && echo 0 >{state} && exit 0
[ $1 = demote ] && [ ! -e {refuses} ] && echo 3 >{state} && exit 0
echo refused; exit 1
"""
CALL = HookCall("disk", "t", "n1,n2", "n1", (("a", "/dev/a"),))
LUNS = GroupAddresses(("a",), closed=(("a", AluaState.STANDBY),), hook=CALL)


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[Hooked]:
    """Give a group of one Lun whose storage is demoted."""
    group = tmp_path / "core" / "iblock_10000" / "a" / "alua" / "lunmapd"
    group.mkdir(parents=True)
    for file, text in (
        ("alua_access_state", "2"),
        ("alua_support_active_optimized", "1"),
        ("alua_support_standby", "1"),
    ):
        (group / file).write_text(text)
    (tmp_path / "state").write_text("3\n")
    hook = tmp_path / "disk"
    hook.write_text(HOOK.format(state=tmp_path / "state", refuses=tmp_path / "refuses"))
    hook.chmod(0o755)
    process = SwitchProcess((sys.executable, "-c", PROGRAM, str(tmp_path)))
    yield Hooked(LunStates(process, "t n1,n2"), process, "t n1,n2")
    process.close()


def until(hooked: Hooked, promotion: Promotion) -> None:
    """Wait until the hook is so far."""
    wait_until(f"the storage is {promotion}", lambda: hooked.presence(LUNS).promotion is promotion)


def test_the_path_opens_when_the_storage_is_promoted(hooked: Hooked) -> None:
    """The first grant lets it be promoted, a later one opens the path; a drop closes it and demotes."""
    assert hooked.presence(LUNS).promotion is Promotion.DEMOTED
    assert hooked.detect_duplicates(LUNS) is None
    hooked.grant(LUNS, 30, boot_time() + 5)
    assert hooked.presence(LUNS).present == frozenset()
    until(hooked, Promotion.PROMOTED)
    hooked.grant(LUNS, 30, boot_time() + 5)
    hooked.announce(LUNS)
    assert hooked.presence(LUNS).present == {"a"}
    hooked.drop(LUNS)
    assert hooked.presence(LUNS).present == frozenset()
    until(hooked, Promotion.DEMOTED)
    hooked.close()


def test_a_hook_that_fails_is_a_problem(hooked: Hooked, tmp_path: Path) -> None:
    """Storage that can't be demoted is an error of the drop."""
    hooked.presence(LUNS)
    with pytest.raises(LeaseProcessError, match=r"hook of t n1,n2: .*too late"):
        hooked.grant(LUNS, 5, boot_time() - 1)
    (tmp_path / "refuses").touch()
    hooked.grant(LUNS, 30, boot_time() + 5)
    wait_until("it has failed", lambda: hooked.presence(LUNS).problem is not None)
    problem = hooked.presence(LUNS).problem
    assert problem is not None
    assert problem.reason is Reason.HOOK_FAILED

    def fails() -> bool:
        try:
            hooked.drop(LUNS)
        except HookFailedError as error:
            return "'disk demote' failed for a: exit status 1: refused" in str(error)
        return False

    wait_until("the drop fails", fails)
    (tmp_path / "refuses").unlink()
    until(hooked, Promotion.DEMOTED)


def test_a_group_that_loses_its_hook_keeps_the_storage(hooked: Hooked, tmp_path: Path) -> None:
    """The map no longer says what to do with it."""
    hooked.grant(LUNS, 30, boot_time() + 5)
    until(hooked, Promotion.PROMOTED)
    plain = GroupAddresses(("a",), closed=LUNS.closed)
    assert hooked.presence(plain).promotion is None
    hooked.drop(plain)
    assert (tmp_path / "state").read_text() == "0\n"
