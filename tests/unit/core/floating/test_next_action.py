"""The next action of a node for a floating portal group."""

import pytest
from msgspec.structs import replace

from lunmapd.core.floating.facts import (
    CHECK_LEAD,
    Announce,
    DetectDuplicates,
    Disable,
    Drop,
    DuplicateCheck,
    Enable,
    Facts,
    Grant,
    LeaseAction,
    Release,
    Renew,
    Take,
    Wait,
)
from lunmapd.core.floating.lease import CONTACT, LeaseRecord, LeaseTimes, Proof, before_restart
from lunmapd.core.floating.next_action import CHECK_PAUSE, CHECK_VALID, next_action

NOW = 1000.0
TIMES = LeaseTimes(lifetime=5, slack=1.0, lateness=1.5, renewal=0.5)
MINE = LeaseRecord("n1", "b", 7500)
LONG = LeaseRecord("n1", "b", 24500)
THEIRS = LeaseRecord("n2", "c", 7500)
FREE = DuplicateCheck(free=True, at=NOW)
USED = DuplicateCheck(free=False, at=NOW)
TAKEN = NOW + 7.5 * 1.002 + 2.0
"""When a record of another node that is first read now may be taken."""

STANDBY = Facts("n1", "b", TIMES, 2.0, record=THEIRS, version=7, seen_at=NOW, owner_live=True)
READY = replace(STANDBY, wanted=True)
OVERDUE = replace(READY, owner_live=False, seen_at=NOW - 60)
RELEASED = replace(READY, record=LeaseRecord(), owner_live=False)
HELD = replace(READY, record=MINE, version=8, proof=Proof(8, NOW - 0.1), check=FREE)
GRANTED = replace(HELD, present=True, complete=True, granted=8)
SERVING = replace(GRANTED, announced=True, enabled=True)
LEAVING = replace(SERVING, wanted=False, successor="n2")
LATER = Proof(8, NOW - 0.6)
EXPIRED = Proof(8, NOW - 6.0)

STANDBY_ROWS = [
    ("not wanted", STANDBY, Wait()),
    ("an address of another's lease", replace(STANDBY, present=True, enabled=True), Drop()),
    ("a TPG of another's lease", replace(READY, enabled=True), Disable()),
    ("a TPG that can't be disabled", replace(READY, enabled=True, stuck=True), Wait()),
    ("the owner lives", READY, Wait(TAKEN - CHECK_LEAD)),
    ("the owner lives and hangs", replace(READY, seen_at=NOW - 60), DetectDuplicates()),
    (
        "the owner lives, and ZooKeeper was away",
        replace(READY, seen_at=NOW - 60, contact_at=NOW, check=FREE),
        Wait(NOW + CONTACT - CHECK_LEAD),
    ),
    (
        "the owner lives, and ZooKeeper was away, asked",
        replace(READY, seen_at=NOW - 60, contact_at=NOW - 1, check=FREE),
        Wait(NOW + CONTACT - 1),
    ),
    ("the lease may still run", replace(READY, owner_live=False), Wait(TAKEN - CHECK_LEAD)),
    ("no question while the owner may have the address", replace(READY, grace=0.0), Wait(TAKEN - 2.0)),
    ("the lease has ended", OVERDUE, DetectDuplicates()),
    (
        "an old check",
        replace(OVERDUE, check=DuplicateCheck(free=True, at=NOW - CHECK_VALID)),
        DetectDuplicates(),
    ),
    ("free to take", replace(OVERDUE, check=FREE), Take(7)),
    ("a take on its way", replace(OVERDUE, check=FREE, writing=True), Wait()),
    ("the address is in use", replace(OVERDUE, check=USED), Wait(NOW + CHECK_PAUSE)),
    (
        "in use, asked long ago",
        replace(OVERDUE, check=replace(USED, at=NOW - CHECK_PAUSE)),
        DetectDuplicates(),
    ),
    ("released", RELEASED, DetectDuplicates()),
    ("released and free", replace(RELEASED, check=FREE), Take(7)),
    (
        "released for another, soon free for all",
        replace(RELEASED, record=LeaseRecord(successor="n3"), seen_at=NOW - 1.5, check=FREE),
        Wait(NOW + 0.5),
    ),
    ("its own lease before a reboot", replace(READY, boot="other", record=MINE, check=FREE), Take(7)),
]
OWNER_ROWS = [
    ("restarted within its lease", replace(SERVING, proof=None, granted=None), Renew(8)),
    ("restarted, renewing", replace(SERVING, proof=None, writing=True), Wait()),
    ("a restart is near", replace(SERVING, times=before_restart(TIMES)), Renew(8)),
    ("a restart is near, renewed", replace(SERVING, times=before_restart(TIMES), record=LONG, granted=7), Grant(8, 20, NOW + 0.9)),
    ("a write whose answer was lost", replace(SERVING, version=9), Renew(9)),
    ("taken", HELD, Grant(8, 5, NOW + 0.9)),
    ("taken without a check", replace(HELD, check=None), DetectDuplicates()),
    ("taken, in use", replace(HELD, check=USED), Wait(NOW + CHECK_PAUSE)),
    ("renewed, not granted yet", replace(SERVING, granted=7, check=None), Grant(8, 5, NOW + 0.9)),
    ("too late for a grant", replace(HELD, proof=Proof(8, NOW - 1.0)), Renew(8)),
    ("too late, renewing", replace(HELD, proof=Proof(8, NOW - 1.0), writing=True), Wait()),
    ("granted", GRANTED, Enable()),
    ("enabled", replace(GRANTED, enabled=True), Announce()),
    ("serving", SERVING, Wait(NOW + 0.4)),
    ("a renewal is due", replace(SERVING, proof=LATER), Renew(8)),
    ("a renewal is on its way", replace(SERVING, proof=LATER, writing=True), Wait(NOW + 5.4)),
    ("the end of the lease", replace(SERVING, proof=EXPIRED, writing=True), Drop()),
    ("the kernel removed the address", replace(SERVING, present=False, complete=False), Disable()),
    ("the kernel removed one of its addresses", replace(SERVING, complete=False), Disable()),
    ("one is missing, disabled", replace(SERVING, complete=False, enabled=False), Grant(8, 5, NOW + 0.9)),
    ("one is missing and in use", replace(SERVING, complete=False, enabled=False, check=USED), Wait(NOW + CHECK_PAUSE)),
    ("removed, commands stuck", replace(SERVING, present=False, complete=False, stuck=True), Release(8, quiet=False, successor="")),
]  # fmt: skip
RELEASE_ROWS = [
    ("leaving", LEAVING, Disable()),
    ("disabled", replace(LEAVING, enabled=False), Drop()),
    ("dropped", replace(LEAVING, enabled=False, present=False, complete=False), Release(8, quiet=True, successor="n2")),
    ("a write on its way", replace(LEAVING, enabled=False, present=False, complete=False, writing=True), Wait()),
    ("commands stuck", replace(LEAVING, stuck=True), Drop()),
    ("dropped, commands stuck", replace(LEAVING, stuck=True, present=False, complete=False), Release(8, quiet=False, successor="n2")),
]  # fmt: skip
ROWS = STANDBY_ROWS + OWNER_ROWS + RELEASE_ROWS


@pytest.mark.parametrize(("facts", "action"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_facts_lead_to_one_action(facts: Facts, action: LeaseAction) -> None:
    """Each situation of a node has one next action."""
    found = next_action(facts, NOW)
    if isinstance(action, Wait) and isinstance(found, Wait):
        assert found.until == pytest.approx(action.until)
    elif isinstance(action, Grant) and isinstance(found, Grant):
        assert found.not_after == pytest.approx(action.not_after)
        assert replace(found, not_after=0) == replace(action, not_after=0)
    else:
        assert found == action


def test_a_take_waits_for_the_whole_lease_time() -> None:
    """The network is asked before the lease time ends, and the record is written only after it."""
    facts = replace(READY, owner_live=False, check=DuplicateCheck(free=True, at=TAKEN - 0.5))
    assert next_action(facts, TAKEN - 0.001) == Wait(TAKEN)
    assert next_action(facts, TAKEN + 0.001) == Take(7)
