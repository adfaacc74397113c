"""The kernel's counters of logins and sessions, with a real initiator."""

import time
from collections.abc import Iterator

import pytest

from contract import maps
from contract.implementations import RealImplementation
from contract.maps import CLAIMS, IQN, TAG, converge, log_out
from lab import Initiator, Machine, wait_for
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import LoginCounters, SessionCounters
from lunmapd.core.node.refused_logins import RefusalCause, Refusals, update_refusals

pytestmark = pytest.mark.kernel

PORTS = (3260, 3297)


@pytest.fixture
def host(pair: tuple[Machine, Initiator], real: RealImplementation) -> Iterator[Initiator]:
    """Give an initiator that has discovered a target without LUNs, through two portals."""
    node, initiator = pair
    converge(real, _target(node))
    initiator.discover(node.address)
    yield initiator
    log_out(node, initiator)


def _target(
    node: Machine, *more: lio_objects.DesiredObject
) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    portals = (lio_objects.Portal(IQN, TAG, f"{node.address}:{port}") for port in PORTS)
    return maps.only(maps.TARGET, maps.TPG, maps.ENABLED, maps.ACL, *portals, *more)


def _counters(real: RealImplementation) -> LoginCounters:
    (counters,) = real.kernel.observe(CLAIMS).login_counters
    return counters


def _sessions(real: RealImplementation) -> SessionCounters:
    return real.kernel.observe(CLAIMS).counters[IQN]


def _log_in(host: Initiator, node: Machine, port: int = PORTS[0]) -> int:
    command = f"iscsiadm -m node -T {IQN} -p {node.address}:{port} --login"
    return host.machine.run(command, check=False).status


def test_sessions_are_counted_though_the_acl_shows_one(
    pair: tuple[Machine, Initiator], real: RealImplementation, host: Initiator
) -> None:
    """An initiator with a session through each portal has two sessions and one entry."""
    before = _sessions(real)
    assert [_log_in(host, pair[0], port) for port in PORTS] == [0, 0]
    observed = real.kernel.observe(CLAIMS)
    assert (observed.session_count, len(observed.sessions)) == (2, 1)
    assert _sessions(real).accepts == before.accepts + 2
    host.machine.run(f"iscsiadm -m node -T {IQN} -p {pair[0].address}:{PORTS[0]} --logout")
    after = wait_for("the logout", lambda: _sessions(real), lambda found: found.sessions == 1)
    assert after.normal_logouts == before.normal_logouts + 1


def test_a_refused_login_has_a_cause_and_an_address(
    pair: tuple[Machine, Initiator], real: RealImplementation, host: Initiator
) -> None:
    """Each cause is counted by itself, and once; the kernel names an initiator that it knows."""
    node, address = pair[0], pair[1].machine.address
    chap = tuple((name, "1" if name == "authentication" else value) for name, value in maps.TPG.attributes)
    asking = lio_objects.Tpg(IQN, TAG, chap, maps.TPG.parameters)
    refusals = update_refusals(Refusals(), [_counters(real)], 0.0, "start")

    def refused(
        desired: dict[lio_objects.Key, lio_objects.DesiredObject],
    ) -> tuple[dict[RefusalCause, int], str, str]:
        nonlocal refusals
        converge(real, desired)
        assert _log_in(host, node) != 0
        refusals = update_refusals(refusals, [_counters(real)], time.monotonic(), "now")
        newest = refusals.reported[0]
        return dict(refusals.grown), newest.initiator, newest.address

    asked = _target(node, asking, maps.secret(maps.ACL))
    assert refused(asked) == ({RefusalCause.AUTHENTICATION: 1}, maps.HOST, address)
    login = f"iscsiadm -m node -T {IQN} --op update -n node.session.auth"
    words = {"authmethod": "CHAP", "username": "bob", "password": "another word"}
    host.machine.run("; ".join(f"{login}.{name} -v '{text}'" for name, text in words.items()))
    assert refused(asked) == ({RefusalCause.AUTHENTICATION: 1}, maps.HOST, address)
    unmapped = _target(node)
    del unmapped[lio_objects.key_of(maps.ACL)]
    assert refused(unmapped) == ({RefusalCause.AUTHORIZATION: 1}, "", address)
