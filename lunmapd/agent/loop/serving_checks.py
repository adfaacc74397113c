"""The portals and backings that are checked beside the cycles: those that serve after the last pass."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_reads import ReadProblems, find_reads
from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.portals import PortalProblems, serving_portals


class PortalChecks(Protocol):
    """Checks portals beside the cycles, which never wait for it."""

    def problems(self) -> PortalProblems:
        """Return what the last checks found."""

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:
        """Check these portals from now on; `credentials` are those that discovery requires."""


class NoPortalChecks:
    """Checks nothing, and so finds nothing."""

    def problems(self) -> PortalProblems:
        """Return nothing."""
        return {}

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:
        """Do nothing."""


class BackingChecks(Protocol):
    """Reads backings beside the cycles, which never wait for it."""

    def problems(self) -> ReadProblems:
        """Return what the last reads found, by name of the Lun."""

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Make these reads from now on; they are by name of the Lun."""


class NoBackingChecks:
    """Reads nothing, and so finds nothing."""

    def problems(self) -> ReadProblems:
        """Return nothing."""
        return {}

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Do nothing."""


class ServingChecks:
    """Directs the checks of portals and of backings, and returns the problems that they found."""

    def __init__(self, portals: PortalChecks, backings: BackingChecks) -> None:
        """Prepare; nothing is checked before `check`."""
        self._portals = portals
        self._backings = backings
        # The objects, backings and Luns from which the present checks were computed.
        self._objects: object = None
        self._observed_backings: object = None
        self._demoted = frozenset[str]()
        self._serving = frozenset[str]()

    def portal_problems(self) -> PortalProblems:
        """Return the problems that the last checks of portals found."""
        return dict(self._portals.problems())

    def read_problems(self) -> ReadProblems:
        """Return the problems that the last reads of backings found, by name of the Lun."""
        return dict(self._backings.problems())

    def check(self, observed: Observed, demoted: AbstractSet[str]) -> None:
        """Check from now on what serves after a pass, also one that was held.

        `demoted` are the Luns whose storage is not promoted here, so that it can't be read.
        """
        self._check_portals(observed)
        self._check_backings(observed, frozenset(demoted))

    def _check_portals(self, observed: Observed) -> None:
        discovery = observed.objects.get(lio_objects.DISCOVERY_AUTH)
        credentials = (
            discovery.credentials
            if isinstance(discovery, lio_objects.DiscoveryAuth)
            else lio_objects.NO_CREDENTIALS
        )
        if observed.objects is not self._objects:
            # A partial pass changes its mapping of objects in place, and no portals.
            self._objects, self._serving = observed.objects, serving_portals(observed.objects)
        self._portals.check(self._serving, credentials)

    def _check_backings(self, observed: Observed, demoted: frozenset[str]) -> None:
        if observed.backings is self._observed_backings and demoted == self._demoted:
            return
        self._observed_backings, self._demoted = observed.backings, demoted
        reads = find_reads(observed)
        self._backings.check({name: read for name, read in reads.items() if name not in demoted})
