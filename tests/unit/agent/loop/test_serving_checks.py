"""A pass decides which portals and backings are checked, and with which credentials."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lunmapd.agent.loop.serving_checks import ServingChecks
from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.backing_reads import ReadProblems
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.portals import PortalProblems

IQN = "iqn.2026-01.org.example:pool"
CREDENTIALS = lio_objects.ChapCredentials("finder", Secret("a password"))
WHY = Failure(Reason.BACKING_HANGS, "it hangs")


class Portals:
    """Records each call of `check`."""

    def __init__(self) -> None:
        self.checks: list[tuple[AbstractSet[str], lio_objects.ChapCredentials]] = []

    def problems(self) -> PortalProblems:
        """Return one problem."""
        return {"10.0.0.1:3260": WHY}

    def check(self, portals: AbstractSet[str], credentials: lio_objects.ChapCredentials) -> None:
        """Record the call."""
        self.checks.append((portals, credentials))


class Backings:
    """Records the Luns of each call of `check`."""

    def __init__(self) -> None:
        self.checks: list[set[str]] = []

    def problems(self) -> ReadProblems:
        """Return one problem."""
        return {"db1": WHY}

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Record the call."""
        self.checks.append(set(reads))


def observed(*more: lio_objects.DesiredObject) -> Observed:
    """Return a node with two Luns, a target with one portal, and these objects."""
    luns = [
        lio_objects.StorageObject(name, PluginName.IBLOCK, f"/dev/{name}", 0, "s") for name in ("db1", "db2")
    ]
    target: list[lio_objects.DesiredObject] = [
        lio_objects.Portal(IQN, 1, "10.0.0.1:3260"),
        lio_objects.Enabled(IQN, 1, 1),
    ]
    facts = {item.name: BackingFacts(device="7:0", size=8192) for item in luns}
    return Observed(lio_objects.by_key([*luns, *target, *more]), backings=facts)


def test_what_serves_is_checked() -> None:
    """The enabled portals are checked as discovery without CHAP, and the devices of all Luns are read."""
    portals, backings = Portals(), Backings()
    checks = ServingChecks(portals, backings)
    checks.check(observed(), frozenset())
    assert portals.checks == [({"10.0.0.1:3260"}, lio_objects.NO_CREDENTIALS)]
    assert backings.checks == [{"db1", "db2"}]
    assert (checks.portal_problems(), checks.read_problems()) == ({"10.0.0.1:3260": WHY}, {"db1": WHY})


def test_the_credentials_of_discovery_are_used() -> None:
    """A node whose discovery requires CHAP is checked with its credentials."""
    portals = Portals()
    ServingChecks(portals, Backings()).check(observed(lio_objects.DiscoveryAuth(CREDENTIALS)), frozenset())
    assert [credentials for _, credentials in portals.checks] == [CREDENTIALS]


def test_what_is_not_promoted_is_not_read() -> None:
    """The reads change with the demoted Luns, and are left alone while nothing changes."""
    backings, found = Backings(), observed()
    checks = ServingChecks(Portals(), backings)
    for demoted in ({"db1"}, {"db1"}, set[str]()):
        checks.check(found, demoted)
    assert backings.checks == [{"db2"}, {"db1", "db2"}]
