"""The choice of the interface for an address."""

from collections.abc import Mapping
from ipaddress import ip_interface

import pytest
from msgspec.structs import replace

from fakes.network import ETH0, OWN
from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.service.lease.interfaces import KernelAddress, Network, NetworkLink, link_problem, place

ETH1 = replace(ETH0, index=3, name="eth1")
DOWN = replace(ETH0, running=False)
NETWORK = Network((ETH0, ETH1), OWN)


def _names(placed: Mapping[str, NetworkLink] | Failure) -> dict[str, str]:
    assert not isinstance(placed, Failure), placed
    return {address: link.name for address, link in placed.items()}


def test_the_interface_in_the_network_of_the_address_gets_it() -> None:
    """Each address of a group goes to the interface whose network has it, IPv4 and IPv6."""
    group = GroupAddresses(("10.0.0.50", "2001:db8::50"))
    assert _names(place(group, NETWORK)) == {"10.0.0.50": "eth0", "2001:db8::50": "eth0"}


def test_a_named_interface_gets_the_address() -> None:
    """It needs no address in the network of the group's."""
    assert _names(place(GroupAddresses(("192.0.2.1",), "eth1"), NETWORK)) == {"192.0.2.1": "eth1"}


@pytest.mark.parametrize("index", [2, 3])
def test_of_several_interfaces_one_that_runs_gets_the_address(index: int) -> None:
    """With two interfaces in one network, the first that has a link is chosen."""
    links = tuple(replace(link, running=link.index == index) for link in (ETH0, ETH1))
    both = (*OWN, KernelAddress(3, ip_interface("10.0.0.2/24")))
    assert _names(place(GroupAddresses(("10.0.0.50",)), Network(links, both))) == {
        "10.0.0.50": f"eth{index - 2}"
    }


def test_a_single_host_is_no_network() -> None:
    """An address with the prefix of one host, as every floating one, leads no other to its interface."""
    network = Network((ETH0,), (KernelAddress(2, ip_interface("10.0.0.50/32"), 5),))
    placed = place(GroupAddresses(("10.0.0.50",)), network)
    assert isinstance(placed, Failure)
    assert (placed.reason, "no interface of this node" in placed.message) == (Reason.NO_INTERFACE, True)


def test_a_named_interface_that_is_missing_is_a_problem() -> None:
    """The message has the name that the map gives."""
    placed = place(GroupAddresses(("10.0.0.50",), "bond0"), NETWORK)
    assert isinstance(placed, Failure)
    assert (placed.reason, "no interface bond0" in placed.message) == (Reason.NO_INTERFACE, True)


def test_a_link_that_is_down_is_a_problem() -> None:
    """A node whose only interface in the network has no link can't serve the address."""
    placed = place(GroupAddresses(("10.0.0.50",)), Network((DOWN,), OWN))
    assert not isinstance(placed, Failure)
    problem = link_problem(placed)
    assert problem is not None
    assert (problem.reason, "eth0" in problem.message) == (Reason.NO_LINK, True)
    assert link_problem({"10.0.0.50": ETH0}) is None
