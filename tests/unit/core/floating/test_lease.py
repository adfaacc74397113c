"""The times of a lease."""

import msgspec
import pytest

from lunmapd.core.floating.lease import (
    CONTACT,
    HEAD_START,
    RATE_DIFFERENCE,
    RESTART_LATENESS,
    RESTART_LIFETIME,
    LeaseRecord,
    LeaseTimes,
    Proof,
    before_restart,
    last_grant,
    lease_end,
    owner_record,
    renewed_record,
    take_time,
)
from support.floating import kernel_lateness

TIMES = LeaseTimes(lifetime=4, slack=1.0, lateness=1.5)


def test_the_lease_time_covers_slack_lifetime_and_lateness() -> None:
    """The record states the whole time in which a grant of the write can have effect, rounded up."""
    assert TIMES.total == 6.5
    assert owner_record("n1", "b", TIMES) == LeaseRecord("n1", "b", 6500)
    assert owner_record("n1", "b", LeaseTimes(slack=0.0001)).lease_ms == 6501


def test_the_owner_ends_before_the_lease_time() -> None:
    """The owner removes the address itself before the kernel is late."""
    proof = Proof(3, 100.0)
    assert last_grant(TIMES, proof) == 101.0
    assert lease_end(TIMES, proof) == 105.0


@pytest.mark.parametrize(
    ("record", "seconds"),
    [
        (LeaseRecord(), 0.0),
        (LeaseRecord(quiet=False), 3.0),
        (LeaseRecord(successor="n2"), 0.0),
        (LeaseRecord(successor="n1"), HEAD_START),
        (LeaseRecord(quiet=False, successor="n1"), 3.0),
        (LeaseRecord("n1", "b", 6500), 6.5 * (1 + RATE_DIFFERENCE) + 3.0),
    ],
    ids=["new", "commands left", "for it", "for another", "for another, commands left", "held"],
)
def test_a_node_waits_for_what_the_record_states(record: LeaseRecord, seconds: float) -> None:
    """A released group is taken at once by its successor; a held one after the lease time and the grace."""
    assert take_time(record, 100.0, 3.0, "n2") == pytest.approx(100.0 + seconds)


@pytest.mark.parametrize(
    ("before", "is_shortened", "after"),
    [(6500, True, 6500), (6500, False, 6500), (24500, True, 6500), (24500, False, 24500)],
)
def test_a_renewal_covers_the_grants_before_it(before: int, after: int, *, is_shortened: bool) -> None:
    """A longer lease becomes shorter only after the kernel got a shorter lifetime."""
    record = LeaseRecord("n1", "b", before)
    assert renewed_record(record, TIMES, is_shortened=is_shortened) == LeaseRecord("n1", "b", after)


def test_a_lease_outlasts_a_restart() -> None:
    """The last lifetime before a restart is longer, and the kernel may be later; the other times stay."""
    longer = LeaseTimes(lifetime=RESTART_LIFETIME, slack=1.0, lateness=RESTART_LATENESS)
    assert before_restart(TIMES) == longer


@pytest.mark.parametrize("times", [LeaseTimes(), before_restart(LeaseTimes())], ids=["usual", "restart"])
def test_a_lease_covers_the_timers_of_the_kernel(times: LeaseTimes) -> None:
    """A third of a second is left for the work of the kernel to be scheduled."""
    assert times.lateness >= kernel_lateness(times.lifetime) + 0.33


def test_a_live_owner_is_given_time_after_an_outage() -> None:
    """ZooKeeper has to answer for a while before a lease that was not renewed counts as ended."""
    record = LeaseRecord("n1", "b", 6500)
    assert take_time(record, 100.0, 3.0, "n2", contact_at=200.0) == 200.0 + CONTACT
    assert take_time(record, 100.0, 3.0, "n2", contact_at=50.0) == take_time(record, 100.0, 3.0, "n2")


def test_a_record_survives_its_document() -> None:
    """A record is read back from its JSON."""
    record = LeaseRecord("n1", "b", 6500, quiet=False, successor="n2")
    assert msgspec.json.decode(msgspec.json.encode(record), type=LeaseRecord) == record
