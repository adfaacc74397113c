"""What a pass has to bring about."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.agent.state.seen_file import Past
from lunmapd.core.base.errors import ConditionError, Exit
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.out_of_band import RecordedDocuments
from lunmapd.core.planning import guard
from lunmapd.core.planning.enablement import Offer
from lunmapd.core.planning.guard import Limits
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.plan import Disruption
from lunmapd.core.secrets.sealing import Vault


class RemovalHeldError(ConditionError, reason=Reason.REMOVAL_HELD):
    """A pass would take away much at once, and nobody has confirmed it."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, held: guard.Held) -> None:
        self.held = held
        super().__init__(
            f"revision {revision} would {held}: nothing is changed; put the map right, or say that it is meant with 'lunmapctl confirm'"
        )


class Orders(Struct, frozen=True):
    """What a pass has to bring about.

    `edited` is what the revisions say of what was edited around the tools, see core/node/out_of_band.py. `confirmed` gives the map up to which removals are confirmed, None for none; `decided` is what an earlier pass was to
    take away and could not. `vault` opens the secrets. Steps above `allow` are held; `logins` is as in Ways. What drifts of the
    classes in `report` is left as it is; `past` is what a former daemon saw of this same map, and `keep` is called before
    anything is removed that is to be made again, so that the next daemon does not take it for drift.
    """

    node: str
    revision: int
    lunmap: Lunmap
    unreadable: Mapping[str, str]
    vault: Vault
    confirmed: Callable[[], Lunmap | None]
    edited: RecordedDocuments = {}
    decided: AbstractSet[lio_objects.Key] = frozenset()
    limits: Limits = Limits()
    offer: Offer = Offer.ALL
    allow: Disruption = Disruption.DATA_UNREACHABLE
    logins: Callable[[], Logins] = dict
    report: AbstractSet[str] = frozenset()
    past: Past | None = None
    keep: Callable[[], None] = lambda: None
