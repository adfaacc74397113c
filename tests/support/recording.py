"""A pass's surroundings that record the steps that a fake LIO is given."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from fakes.lio import FakeLio
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan


class RecordingKernel:
    """A fake LIO that is only observed as a whole, and records the steps that it is given."""

    def __init__(self, lio: FakeLio) -> None:
        """Record the steps for this fake."""
        self.lio = lio
        self.given: Plan = ()

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe everything."""
        return self.lio.observe(claims)

    def observe_some(self, _items: Sequence[lio_objects.Object]) -> None:
        """Leave it to a full pass."""

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands of the fake."""
        return self.lio.count_commands(acls)

    def apply(self, plan: Plan) -> Iterator[StepOutcome]:
        """Record the steps, and execute them."""
        self.given = plan
        return self.lio.apply(plan)


class Peers:
    """The other nodes, where some initiators are logged in."""

    def __init__(self, logins: Logins) -> None:
        """Let these be logged in."""
        self._logins = logins

    def logins(self) -> Logins:
        """Return them."""
        return self._logins
