"""Who notices a step: the disruption that it has at worst, and the initiators that are logged in where it happens."""

from collections.abc import Iterator

from msgspec import Struct

from lunmapd.core import lio
from lunmapd.core.observed import Observed, Session
from lunmapd.core.plan import Disruption, Step, disruption


class Impact(Struct, frozen=True):
    """What a step does to initiators: `worst` if any were logged in, and the sessions that are."""

    worst: Disruption
    sessions: tuple[Session, ...] = ()

    @property
    def now(self) -> Disruption:
        """What it does to those that are logged in now."""
        return self.worst if self.sessions else Disruption.NONE


def impact(step: Step, observed: Observed) -> Impact:
    """Tell who notices the step, from what was observed."""
    worst = disruption(step)
    if worst is Disruption.NONE:
        return Impact(worst)
    seen = set(_seen_by(step.item, observed.objects))
    return Impact(
        worst,
        tuple(
            session
            for session in observed.sessions
            if (session.iqn, session.tag, session.initiator) in seen or (session.iqn, session.tag) in seen
        ),
    )


def _seen_by(item: lio.Object, objects: lio.Objects) -> Iterator[tuple[str | int, ...]]:
    """Yield the TPGs in which the object is seen by everyone, or with the initiator the ACLs by which it is seen."""
    match item:
        case lio.MappedLun() | lio.NodeAcl():
            yield item.iqn, item.tag, item.initiator
        case lio.Enabled():
            yield item.iqn, item.tag
        case _:
            name = lio.lun_of(item)
            for other in objects.values():
                if isinstance(other, lio.MappedLun) and other.storage_object == name:
                    yield other.iqn, other.tag, other.initiator
