"""Isolation: the time without contact to ZooKeeper, and the enablement during it."""

from pathlib import Path

import pytest

from fakes.clock import Clock
from lunmapd.agent.loop.isolation import ContactTimer
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.planning.enablement import Enablement
from lunmapd.store.session.access_errors import (
    CredentialsError,
    NotAuthenticatedError,
    NotPermittedError,
    TlsFailedError,
)
from lunmapd.store.session.errors import LostError, NotInitialisedError, StoreError, UnreachableError

SILENCE = UnreachableError("h:1", 10)


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock(100.0)


def look(contact: ContactTimer, clock: Clock, error: StoreError | None, seconds: float = 0.0) -> Enablement:
    """End a read after this time with this result, and return the enablement."""
    contact.read_begins()
    clock.now += seconds
    contact.read_ended(error)
    return contact.enablement()


def test_without_the_setting_a_node_keeps_serving(clock: Clock) -> None:
    """However long the silence, everything is offered, and no condition speaks of it."""
    contact = ContactTimer(None, clock)
    assert look(contact, clock, SILENCE, 1e6) is Enablement.ALL
    assert contact.conditions(Enablement.ALL) == ()
    assert contact.until_isolated() == float("inf")


def test_the_limit_counts_from_the_first_look_that_failed(clock: Clock) -> None:
    """The time between the last answer and that read doesn't count: the loss was not known."""
    contact = ContactTimer(30.0, clock)
    assert look(contact, clock, None) is Enablement.ALL
    clock.now += 1000
    assert look(contact, clock, SILENCE, 10) is Enablement.ALL
    assert look(contact, clock, SILENCE, 19) is Enablement.ALL
    assert look(contact, clock, SILENCE, 1) is Enablement.NONE
    assert look(contact, clock, None) is Enablement.ALL
    assert look(contact, clock, SILENCE, 29) is Enablement.ALL


@pytest.mark.parametrize(
    ("error", "enablement"),
    [
        (NotInitialisedError("/x"), Enablement.ALL),
        (LostError("h:1", 1), Enablement.NONE),
        (TlsFailedError("h:1", 1, {}), Enablement.NONE),
        (NotAuthenticatedError("h:1", "sasl"), Enablement.NONE),
        (CredentialsError(Path("/x"), "missing"), Enablement.NONE),
        (NotPermittedError("/x", ["sasl:n1"], Role.READER), Enablement.NONE),
    ],
)
def test_any_answer_is_contact(clock: Clock, error: StoreError, enablement: Enablement) -> None:
    """A tree that can't be followed is an answer; a broken connection or a refused login is none."""
    contact = ContactTimer(30.0, clock)
    look(contact, clock, None)
    assert look(contact, clock, error, 31) is enablement


def test_before_the_first_answer_nothing_new_is_opened(clock: Clock) -> None:
    """A daemon that starts without contact keeps enabled TPGs for the set time, and enables no others."""
    contact = ContactTimer(30.0, clock)
    assert look(contact, clock, SILENCE, 10) is Enablement.KEPT
    assert look(contact, clock, SILENCE, 20) is Enablement.NONE
    assert look(contact, clock, None) is Enablement.ALL


def test_the_wait_ends_when_the_node_is_isolated(clock: Clock) -> None:
    """The time without contact ends in a cycle at the moment of isolation.

    Before and after it sets no timer.
    """
    contact = ContactTimer(30.0, clock)
    look(contact, clock, None)
    assert contact.until_isolated() == float("inf")
    look(contact, clock, SILENCE, 10)
    assert contact.until_isolated() == 20.0
    clock.now += 20
    assert contact.until_isolated() == float("inf")


@pytest.mark.parametrize(
    ("enablement", "reason", "status"),
    [
        (Enablement.ALL, "Offered", True),
        (Enablement.KEPT, "NoContactYet", False),
        (Enablement.NONE, "Isolated", False),
    ],
)
def test_enablement_is_a_condition(
    clock: Clock,
    enablement: Enablement,
    reason: str,
    status: bool,  # noqa: FBT001
) -> None:
    """A condition shows whether the node's TPGs are enabled, and why not."""
    (condition,) = ContactTimer(30.0, clock).conditions(enablement)
    assert (condition.reason, condition.status) == (reason, status)
