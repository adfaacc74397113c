"""The lease process's requests, on a fake kernel; tests/contract/test_lease_kernel.py has a real one."""

import errno
from ipaddress import ip_interface
from queue import SimpleQueue

import pytest

from fakes.network import ETH0, OWN, FakeNetwork
from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.clock import boot_time
from lunmapd.core.base.reasons import Reason
from lunmapd.service.lease import wire
from lunmapd.service.lease.interfaces import KernelAddress
from lunmapd.service.lease.server import LeaseServer

GROUP = GroupAddresses(("10.0.0.50", "2001:db8::50"))


class Rig:
    """A server on a fake kernel."""

    def __init__(self) -> None:
        self.kernel = FakeNetwork()
        self.answers = SimpleQueue[wire.LeaseAnswer]()
        self.server = LeaseServer(self.kernel, self.answers.put)

    def ask(self, request: wire.LeaseRequest) -> wire.LeaseAnswer:
        """Return the answer."""
        self.server.handle(request)
        return self.answers.get(timeout=60)

    def grant(self, lifetime: int = 5, within: float = 10.0) -> wire.LeaseAnswer:
        """Grant the group."""
        return self.ask(wire.GrantRequest(1, GROUP, lifetime, boot_time() + within))

    def failure(self, request: wire.LeaseRequest) -> tuple[str, str]:
        """Return the reason and the message of a failure."""
        answer = self.ask(request)
        assert isinstance(answer, wire.RefusedAnswer), answer
        return answer.failure.reason, answer.failure.message


@pytest.fixture
def rig() -> Rig:
    """Return a rig."""
    return Rig()


def test_a_grant_gives_all_addresses_with_a_lifetime(rig: Rig) -> None:
    """Each has the prefix of a single host on the interface of its network, and the lifetime asked for."""
    assert rig.grant() == wire.DoneAnswer(1)
    fresh = [each for each in rig.kernel.addresses if each not in OWN]
    assert fresh == [
        KernelAddress(2, ip_interface("10.0.0.50/32"), 5),
        KernelAddress(2, ip_interface("2001:db8::50/128"), 5),
    ]
    assert rig.ask(wire.PresenceRequest(2, GROUP)) == wire.PresenceAnswer(2, GROUP.addresses)


def test_the_nodes_own_address_is_never_taken_away(rig: Rig) -> None:
    """A group that names it can't be served here, and dropping the group leaves it."""
    for own in OWN:
        group = GroupAddresses((own.text,))
        answer = rig.ask(wire.PresenceRequest(1, group))
        assert isinstance(answer, wire.PresenceAnswer)
        assert (answer.present, answer.problem and answer.problem.reason) == ((), Reason.NO_INTERFACE)
        assert rig.ask(wire.DropRequest(2, group)) == wire.DoneAnswer(2)
        _, message = rig.failure(wire.GrantRequest(3, group, 5, boot_time() + 10))
        assert message.startswith(f"{own.text} is this node's own address")
    assert tuple(rig.kernel.addresses) == OWN


def test_an_address_that_something_else_added_for_good_gets_an_end(rig: Rig) -> None:
    """It would outlive the lease, as one that a cluster manager leaves beside the node's own addresses."""
    rig.kernel.addresses += [
        KernelAddress(2, ip_interface("10.0.0.50/24"), secondary=True),
        KernelAddress(2, ip_interface("2001:db8::50/64")),
    ]
    assert rig.grant() == wire.DoneAnswer(1)
    assert {str(each.interface): each.valid for each in rig.kernel.addresses if each not in OWN} == {
        "10.0.0.50/32": 5,
        "2001:db8::50/128": 5,
    }


def test_a_grant_after_its_time_changes_nothing(rig: Rig) -> None:
    """It is refused, and the process lives."""
    reason, message = rig.failure(wire.GrantRequest(1, GROUP, 5, boot_time() - 1))
    assert (reason, "1.0 s too late" in message) == (Reason.LEASE_UNBOUNDED, True)
    assert not rig.kernel.read().of(GROUP.addresses)


def test_an_address_without_an_interface_is_refused(rig: Rig) -> None:
    """No address of the group is given to the kernel."""
    group = GroupAddresses(("10.0.0.50", "192.0.2.1"))
    reason, message = rig.failure(wire.GrantRequest(1, group, 5, boot_time() + 10))
    assert (reason, "192.0.2.1" in message) == (Reason.NO_INTERFACE, True)
    assert not rig.kernel.read().of(group.addresses)


def test_an_address_is_dropped_at_the_end_of_its_lifetime(rig: Rig) -> None:
    """The process removes it itself, since the kernel may do so later; addresses of others stay."""
    rig.grant(lifetime=1)
    left = rig.server.seconds_left()
    assert left is not None
    assert 0.5 < left <= 1
    rig.grant(lifetime=0)
    rig.server.drop_expired()
    assert rig.kernel.addresses == list(OWN)
    assert rig.server.seconds_left() is None


def test_a_drop_removes_the_addresses_on_every_interface(rig: Rig) -> None:
    """An address that somebody gave to another interface is removed too."""
    rig.grant()
    rig.kernel.addresses.append(KernelAddress(7, ip_interface("10.0.0.50/32")))
    assert rig.ask(wire.DropRequest(2, GROUP)) == wire.DoneAnswer(2)
    assert rig.kernel.addresses == list(OWN)
    assert rig.server.seconds_left() is None
    assert rig.ask(wire.DropRequest(3, GROUP)) == wire.DoneAnswer(3)


def test_a_refusal_of_the_kernel_is_an_answer(rig: Rig) -> None:
    """It has the kernel's error, and the next request is carried out."""
    rig.kernel.refuses = errno.EPERM
    reason, message = rig.failure(wire.GrantRequest(1, GROUP, 5, boot_time() + 10))
    assert (reason, "EPERM" in message) == (Reason.LEASE_PROCESS, True)
    rig.kernel.refuses = 0
    assert rig.grant() == wire.DoneAnswer(1)


def test_a_link_that_is_down_is_reported_with_the_presence(rig: Rig) -> None:
    """The addresses that the kernel has are reported all the same."""
    rig.grant()
    rig.kernel.links = (type(ETH0)(2, "eth0", 1, ETH0.hardware, ETH0.broadcast, running=False),)
    answer = rig.ask(wire.PresenceRequest(2, GROUP))
    assert isinstance(answer, wire.PresenceAnswer)
    assert answer.problem is not None
    assert (answer.present, answer.problem.reason) == (GROUP.addresses, Reason.NO_LINK)


def test_nothing_is_announced_without_a_grant(rig: Rig) -> None:
    """The announcement of an address that this process did not give would lead hosts away from its owner."""
    assert rig.ask(wire.AnnounceRequest(1, GROUP)) == wire.DoneAnswer(1)
