"""The lease process on a real kernel: lifetimes, stopped and killed processes, VLAN and bond interfaces."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab import Machine
from lunmapd.core.floating.lease import LeaseTimes

pytestmark = pytest.mark.kernel

TESTS = Path(__file__).parents[1]
FILES = ("contract/lease_guest.py", "support/address_recorder.py")
KINDS = ("plain", "vlan", "bond")
Measured = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def measured(machine: Machine) -> Measured:
    """Return the results of all cases of the guest, by name."""
    for file in FILES:
        machine.put(f"/run/lease/{file}", (TESTS / file).read_text(encoding="utf-8"))
    machine.run("for each in 8021q bonding; do modprobe $each || true; done")
    guest = f"PYTHONPATH=/run/lease python3 -W ignore /run/lease/{FILES[0]}"
    result: Measured = json.loads(machine.run(guest, timeout=120).stdout)
    print(result)  # noqa: T201 - shown if a test fails
    return result


@pytest.mark.parametrize("case", ["late-idle", "late-busy"])
def test_the_kernel_ends_a_lifetime_in_time(measured: Measured, case: str) -> None:
    """With all processes stopped, 20 addresses of IPv4 and IPv6 are gone within the lateness of the lease."""
    late, took = measured[case]["late"], measured[case]["took"]
    assert len(late) == 20
    assert min(late) >= -took - 0.1
    assert max(late) <= LeaseTimes().lateness


def test_the_lease_process_removes_the_addresses_itself(measured: Measured) -> None:
    """A process that runs does not wait for the kernel's own work."""
    assert max(measured["own-end"]["late"]) < 0.3


def test_a_killed_daemon_leaves_the_address_for_the_rest_of_its_lease(measured: Measured) -> None:
    """Its lease process dies with it, even a stopped one. The next daemon extends the lease without a gap."""
    result = measured["killed-daemon"]
    assert result["extended"]
    assert set(result["spans"].values()) == {1}


def test_a_process_that_is_stopped_in_a_grant_gives_no_address(measured: Measured) -> None:
    """It is stopped between its decision and its call, and killed when no call may begin any more."""
    result = measured["stopped-in-grant"]
    assert (result["error"], result["came"]) == ("GrantLateError", [])
    assert 0.5 <= result["took"] < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_of_another_machine_is_found(measured: Measured, kind: str) -> None:
    """ARP and neighbour solicitation find its hardware address; free ones and those held here have none."""
    result = measured[f"network-{kind}"]
    assert (result["found"], result["free"], result["own"]) == ([True, True], True, True)


@pytest.mark.parametrize("kind", KINDS)
def test_an_announcement_corrects_the_neighbours(measured: Measured, kind: str) -> None:
    """They send to the new owner; an address of IPv6 is usable at once, and nothing is sent after a drop."""
    result = measured[f"network-{kind}"]
    assert result["tentative"] == [False]
    assert result["after"] == [result["wrong"]] * 2


def test_floating_addresses_and_own_ones_do_not_depend_on_each_other(measured: Measured) -> None:
    """The removal of one leaves the other, connections start at the own one, and no lifetime is endless.

    The own ones are no floating addresses, whatever a group names.
    """
    result = measured["own-addresses"]
    assert result.pop("refused") == ["NoInterfaceError"] * 2
    assert result == {"lifetimes": [5], "source": "10.55.0.1", "kept": True, "own": True}
