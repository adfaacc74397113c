"""The times of a lease."""

import msgspec
import pytest

from lunmapd.core.floating.lease import (
    HEAD_START,
    RATE_DIFFERENCE,
    LeaseRecord,
    LeaseTimes,
    Proof,
    last_grant,
    lease_end,
    owner_record,
    take_time,
)

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


def test_a_record_survives_its_document() -> None:
    """A record is read back from its JSON."""
    record = LeaseRecord("n1", "b", 6500, quiet=False, successor="n2")
    assert msgspec.json.decode(msgspec.json.encode(record), type=LeaseRecord) == record
