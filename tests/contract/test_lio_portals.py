"""Portals on a real kernel: other spellings of an address, ports in use, and iSER without a device."""

import pytest

from contract import maps
from contract.implementations import RealImplementation
from contract.maps import IQN, TAG, attempt, converge, observed
from contract.portals import check
from lab import Initiator, Machine, wait_for
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Step, plan

pytestmark = pytest.mark.kernel

NP = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}/np"
OTHER = f"{IQN}-2"
WITH_DISCOVERY = maps.CLAIMS | {lio_objects.DISCOVERY_CLAIM}


def _statistics(node: Machine) -> str:
    """Return the login statistics of the target, and how many lines the kernel has logged."""
    files = f"/sys/kernel/config/target/iscsi/{IQN}/fabric_statistics/iscsi_*/*"
    return node.run(f"grep . {files}; dmesg | wc -l").stdout


def _portal(address: str, *, iser: bool = False) -> lio_objects.Portal:
    return lio_objects.Portal(IQN, TAG, address, iser)


def _refusal(real: RealImplementation, item: lio_objects.Portal) -> tuple[str, str]:
    observed(real)
    (outcome,) = real.kernel.apply([Step(Action.CREATE, item, "try")])
    assert outcome.failure is not None
    return outcome.failure.reason, outcome.failure.message


@pytest.mark.parametrize(
    ("spelled", "address"),
    [("[::0]:3290", "[::]:3290"), ("[2001:DB8:0::1]:3291", "[2001:db8::1]:3291")],
)
def test_a_portal_is_known_by_its_address(
    pair: tuple[Machine, Initiator], real: RealImplementation, spelled: str, address: str
) -> None:
    """A portal that another tool spelled otherwise is the map's, and is removed under its own name."""
    converge(real, maps.only(maps.TARGET, maps.TPG))
    pair[0].run(f"mkdir '{NP}/{spelled}'")
    desired = maps.only(maps.TARGET, maps.TPG, _portal(address))
    assert plan(desired, observed(real)) == ()
    converge(real, maps.only(maps.TARGET, maps.TPG))
    assert pair[0].run(f"ls {NP}").stdout == ""


def test_a_port_of_a_program_is_named(pair: tuple[Machine, Initiator], real: RealImplementation) -> None:
    """The kernel says EINVAL to everything; lunmapd says that the port is in use, until the program ends."""
    node = pair[0]
    item = _portal(f"{node.address}:3292")
    converge(real, maps.only(maps.TARGET, maps.TPG))
    program = (
        "import socket, time; s = socket.create_server(('0.0.0.0', 3292)); print(flush=True); time.sleep(600)"
    )
    other = node.spawn(f'exec python3 -c "{program}"')
    wait_for("the program", other.output, lambda text: "\n" in text)
    reason, message = _refusal(real, item)
    assert (reason, "ss -lntp sport = :3292" in message) == (Reason.PORTAL_IN_USE, True)
    other.terminate()
    converge(real, maps.only(maps.TARGET, maps.TPG, item))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("0.0.0.0:3293", "{address}:3293"),
        ("{address}:3293", "0.0.0.0:3293"),
        ("[::]:3293", "{address}:3293"),
        ("[::]:3293", "[{address6}]:3293"),
        ("[{address6}]:3293", "[::]:3293"),
    ],
)
def test_a_portal_that_excludes_another_is_named(
    pair: tuple[Machine, Initiator], real: RealImplementation, first: str, second: str
) -> None:
    """LIO's own sockets are no program's; the message names the portal that has the port."""
    there, here = (
        text.format(address=pair[0].address, address6=pair[0].address6) for text in (first, second)
    )
    other = (lio_objects.Target(OTHER), lio_objects.Tpg(OTHER, TAG, maps.TPG.attributes, maps.TPG.parameters))
    converge(real, maps.only(maps.TARGET, maps.TPG, *other, lio_objects.Portal(OTHER, TAG, there)))
    reason, message = _refusal(real, _portal(here))
    assert reason == Reason.PORTAL_IN_USE
    assert f"the portal {there} of {OTHER}" in message


def test_a_portal_shares_the_port_with_the_other_kind_of_address(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """`0.0.0.0` leaves the port free on addresses of IPv6, and own addresses leave it to each other."""
    address, address6 = pair[0].address, pair[0].address6
    for first in ("0.0.0.0:3294", f"{address}:3294"):
        converge(real, maps.only(maps.TARGET, maps.TPG, _portal(first), _portal(f"[{address6}]:3294")))


def test_iser_without_a_device_is_named(pair: tuple[Machine, Initiator], real: RealImplementation) -> None:
    """The portal is made for TCP, and the message says what it lacks; it goes on to serve TCP."""
    item = _portal(f"{pair[0].address}:3295", iser=True)
    converge(real, maps.only(maps.TARGET, maps.TPG))
    reason, message = _refusal(real, item)
    assert (reason, "no RDMA device" in message) == (Reason.PORTAL_REFUSED, True)
    plain = _portal(item.address)
    assert plan(maps.only(maps.TARGET, maps.TPG, plain), observed(real)) == ()
    assert attempt(real, Action.UPDATE, item, plain) == Reason.PORTAL_REFUSED


def test_a_healthy_portal_is_checked_without_a_trace(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """A check of own addresses, also with CHAP, counts as no login, and the kernel logs nothing."""
    node = pair[0]
    portals = (f"{node.address}:3260", f"[{node.address6}]:3260", "0.0.0.0:3261", "[::]:3262")
    tpg = maps.only(maps.TARGET, maps.TPG, maps.ENABLED, *(_portal(portal) for portal in portals))
    for chap in ((), ("bob", "a password", "", ""), ("bob", "a password", "san", "the answer of it")):
        discovery = maps.only(lio_objects.DiscoveryAuth(_credentials(chap))) if chap else {}
        list(real.kernel.apply(plan(tpg | discovery, real.kernel.observe(WITH_DISCOVERY).objects)))
        before = _statistics(node)
        assert check(node, *portals, chap=chap) == {}
        assert _statistics(node) == before
    list(real.kernel.apply(plan(tpg, real.kernel.observe(WITH_DISCOVERY).objects)))


def _credentials(chap: tuple[str, ...]) -> lio_objects.ChapCredentials:
    user, password, other, answer = chap
    return lio_objects.ChapCredentials(user, Secret(password), other, Secret(answer))


def test_an_address_without_an_interface_or_a_link_is_missing(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """LIO listens on both; a route that makes an address local is as good as an interface."""
    node = pair[0]
    ghost, bare, routed = "10.99.99.99:3260", "10.98.0.1:3260", "10.97.0.1:3260"
    converge(real, maps.only(maps.TARGET, maps.TPG, maps.ENABLED, *map(_portal, (ghost, bare, routed))))
    node.run(
        "ip link add lone type veth peer name end; ip addr add 10.98.0.1/24 dev lone; ip link set lone up"
    )
    node.run("ip route add local 10.97.0.0/24 dev lo")
    found = check(node, ghost, bare, routed)
    assert set(found) == {ghost, bare}
    assert found[ghost].startswith("PortalAddressMissing: no interface of this node has 10.99.99.99")
    assert found[bare].startswith("PortalAddressMissing: interface lone")
    node.run("ip link set end up; ip addr add 10.99.99.99/24 dev lone")
    assert check(node, ghost, bare, routed) == {}
    node.run("ip link set lone down")
    assert set(check(node, ghost, bare, routed)) == {ghost, bare}
    node.run("ip link del lone; ip route del local 10.97.0.0/24 dev lo")


def test_a_portal_that_nobody_serves_is_refused(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """`[::]` beside a portal of IPv4 shares its socket in LIO, and so does not listen on IPv6."""
    node = pair[0]
    converge(real, maps.only(maps.TARGET, maps.TPG, maps.ENABLED, _portal(f"{node.address}:3296")))
    node.run(f"mkdir -p '/sys/kernel/config/target/iscsi/{OTHER}/tpgt_1/np/[::]:3296'")
    found = check(node, f"{node.address}:3296", "[::]:3296")
    assert found == {
        "[::]:3296": "PortalRefused: a login to [::]:3296 from the node itself failed: Connection refused"
    }
