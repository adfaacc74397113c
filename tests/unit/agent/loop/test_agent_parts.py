"""The small parts of the agent: wakeup, machine id, and the status of a cycle."""

import signal
import threading
from pathlib import Path

import pytest

from lunmapd.agent.loop.report import CycleResult, first_status, next_status
from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import ClaimsUnwritableError
from lunmapd.agent.state.machine_id import MachineId, NoMachineIdError, read_machine_id
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED, MAX_FAILING, MAX_LOGINS, RESERVATIONS, STORE, HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Login, Observed
from lunmapd.core.node.reservations import ReservationFiles, ReservationRecord
from lunmapd.core.planning.plan import Action, Step
from lunmapd.store.session.errors import UnreachableError

T = "iqn.2026-01.org.example:t"
AT = HistoryPoint("c", 3, "d")


def test_one_wait_returns_all_causes() -> None:
    """Causes that came since the last wait start one cycle, and the next wait starts without any."""
    wakeup = Wakeup()
    for cause in (WakeCause.WATCH, WakeCause.DEVICE, WakeCause.WATCH):
        wakeup.notify(cause)
    assert wakeup.wait(0) == {WakeCause.WATCH, WakeCause.DEVICE}
    assert wakeup.wait(0) == frozenset()


def test_a_cause_from_another_thread_or_a_signal_ends_a_wait() -> None:
    """A wait ends when another thread or a signal handler calls `notify`."""
    wakeup = Wakeup()
    thread = threading.Thread(target=wakeup.notify, args=(WakeCause.WATCH,))
    thread.start()
    assert wakeup.wait(60) == {WakeCause.WATCH}
    thread.join()
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: wakeup.notify(WakeCause.RELOAD))
    try:
        signal.raise_signal(signal.SIGUSR1)
        assert wakeup.wait(60) == {WakeCause.RELOAD}
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_identity(tmp_path: Path) -> None:
    """Both ids are read without their newline; without a machine id the error names the remedy."""
    machine, boot = tmp_path / "machine-id", tmp_path / "boot_id"
    boot.write_text("b1\n")
    with pytest.raises(NoMachineIdError, match="systemd-machine-id-setup"):
        read_machine_id(machine, boot)
    machine.write_text("\n")
    with pytest.raises(NoMachineIdError, match="is empty"):
        read_machine_id(machine, boot)
    machine.write_bytes(b"\xff\xfe")
    with pytest.raises(NoMachineIdError, match="systemd-machine-id-setup"):
        read_machine_id(machine, boot)
    machine.write_text("uninitialized\n")
    with pytest.raises(NoMachineIdError, match="32 hexadecimal"):
        read_machine_id(machine, boot)
    machine.write_text("0a" * 16 + "\n")
    assert read_machine_id(machine, boot) == MachineId("0a" * 16, "b1")


def observed(sessions: int = 0) -> Observed:
    """Make an observation with so many sessions."""
    return Observed(
        sessions=tuple(
            IscsiSession(T, 1, f"iqn.2026-01.org.example:h{n}", "LOGGED_IN") for n in range(sessions)
        )
    )


def test_a_converged_turn_is_applied() -> None:
    """Only a pass that was seen to leave nothing to do moves the applied revision."""
    status = next_status(first_status("b", "t0"), CycleResult(AT, PassResult(observed(2), {}, ())), "t1")
    assert (status.observed, status.applied, status.sessions) == (AT, AT, 2)
    assert {entry.type: entry.status for entry in status.conditions} == {
        APPLIED: True,
        RESERVATIONS: True,
        STORE: True,
    }


def test_steps_that_are_left_are_not_applied() -> None:
    """A pass after which the kernel still differs does not move the applied revision."""
    left = (Step(Action.CREATE, lio_objects.Target(T), "in the map"),)
    status = next_status(first_status("b", "t0"), CycleResult(AT, PassResult(observed(), {}, left)), "t1")
    assert (status.observed, status.applied) == (AT, None)
    assert status.conditions[0].reason == "Remaining"


def test_failures_are_listed_with_a_limit_and_counted() -> None:
    """At most MAX_FAILING objects are listed, all are counted, and those that only wait are counted apart."""
    failures: dict[lio_objects.Key, Failure] = {
        ("target", f"{T}{n:03}"): Failure(Reason.KERNEL_REFUSED, "no") for n in range(MAX_FAILING + 5)
    }
    failures |= {("tpg", T, 1): Failure(Reason.WAITING, "waits")}
    before = next_status(first_status("b", "t0"), CycleResult(AT, PassResult(observed(), {}, ())), "t1")
    status = next_status(
        before, CycleResult(HistoryPoint("c", 4, "e"), PassResult(observed(), failures, ())), "t2"
    )
    assert (len(status.failing), status.failing_count, status.waiting) == (MAX_FAILING, MAX_FAILING + 5, 1)
    assert status.applied == AT
    assert status.conditions[0].reason == "Failing"


def test_an_unreachable_store_keeps_what_is_applied() -> None:
    """Without ZooKeeper the last revision stays applied, and the condition gives time and reason."""
    before = next_status(first_status("b", "t0"), CycleResult(AT, PassResult(observed(), {}, ())), "t1")
    cycle = CycleResult(AT, PassResult(observed(), {}, ()), UnreachableError("h:1", 1))
    once = next_status(before, cycle, "t2")
    again = next_status(once, cycle, "t3")
    store = next(entry for entry in again.conditions if entry.type == STORE)
    assert (again.applied, store.status, store.reason, store.since) == (AT, False, "Unreachable", "t2")
    assert not cycle.converged


def test_logins_are_listed_up_to_a_limit() -> None:
    """Logged-in initiators are listed once and sorted, without sessions in progress; too many become none."""

    def listed(*sessions: IscsiSession) -> tuple[Login, ...]:
        result = PassResult(Observed(sessions=sessions), {}, ())
        return next_status(first_status("b", "t0"), CycleResult(AT, result), "t1").logins

    both = [IscsiSession(T, 1, initiator, LOGGED_IN) for initiator in ("b", "a", "a")]
    assert listed(*both, IscsiSession(T, 1, "c", "FREE")) == (Login(T, "a"), Login(T, "b"))
    assert listed(*(IscsiSession(T, 1, str(number), LOGGED_IN) for number in range(MAX_LOGINS + 1))) == ()


def test_a_turn_without_a_pass_keeps_the_counts() -> None:
    """If no pass could be made, the counts of the last one stay in the status."""
    before = next_status(first_status("b", "t0"), CycleResult(AT, PassResult(observed(3), {}, ())), "t1")
    status = next_status(before, CycleResult(AT, error=ClaimsUnwritableError("full")), "t2")
    assert (status.sessions, status.conditions[0].reason) == (3, "ClaimsUnwritable")


def test_a_clock_set_back_harms_no_condition() -> None:
    """Times are shown, never compared: after a clock step back a new condition has the new time."""
    fine = CycleResult(AT, PassResult(observed(), {}, ()))
    before = next_status(first_status("b", "2026-01-01T12:00:00Z"), fine, "2026-01-01T12:00:00Z")
    earlier = "2026-01-01T11:00:00Z"
    after = next_status(before, CycleResult(store_error=UnreachableError("h", 1.0)), earlier)
    since = {entry.type: (entry.status, entry.since) for entry in after.conditions}
    del since[RESERVATIONS]
    assert since == {STORE: (False, earlier), APPLIED: (True, "2026-01-01T12:00:00Z")}
    assert next_status(after, fine, earlier).applied == AT


RECORD = ReservationRecord("5" * 32, "db", "h", "0xabc", T, 1, 4, live=False)


@pytest.mark.parametrize(
    ("files", "unrestored", "expected"),
    [
        (ReservationFiles(), (), (True, "Kept", "all reservations on disk are in effect")),
        (
            ReservationFiles(problem="can't write to /x/pr: Read-only file system"),
            (),
            (False, "Unwritable", "can't write to /x/pr: Read-only file system: the kernel refuses"),
        ),
        (ReservationFiles((RECORD,)), (RECORD, RECORD), (False, "NotRestored", f"{RECORD} and 1 more")),
        (ReservationFiles(damaged=("/x/pr/aptpl_5",)), (), (False, "NotRestored", "cut off: /x/pr/aptpl_5")),
    ],
)
def test_reservations_that_do_not_survive_are_a_condition(
    files: ReservationFiles, unrestored: tuple[ReservationRecord, ...], expected: tuple[bool, str, str]
) -> None:
    """Those that the kernel did not restore, and those that it could not write."""
    result = PassResult(Observed(reservations=files), {}, (), unrestored=unrestored)
    status = next_status(first_status("b", "t0"), CycleResult(AT, result), "t1")
    (condition,) = [entry for entry in status.conditions if entry.type == RESERVATIONS]
    assert (condition.status, condition.reason) == expected[:2]
    assert expected[2] in condition.message
