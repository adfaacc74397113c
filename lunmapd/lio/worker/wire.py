"""What the daemon and its worker say to each other: one JSON document a line.

The daemon asks one thing at a time and waits for its answers. A worker that is left behind in a step that hangs is killed,
so that it does nothing more when the kernel lets it go.
"""

from collections.abc import Mapping

from msgspec import Struct, json

from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import IscsiSession, Observed
from lunmapd.core.planning.plan import Step
from lunmapd.lio.base.observation import StuckDirectory


class Observe(Struct, frozen=True, tag=True):
    """Look at the kernel."""

    claims: tuple[str, ...]
    stuck: tuple[StuckDirectory, ...] = ()


class PartialObserve(Struct, frozen=True, tag=True):
    """Look at these objects only, as they should be; answered by Seen, or by Unseen when there is more to it."""

    items: tuple[lio_objects.Object, ...]


class Apply(Struct, frozen=True, tag=True):
    """Do these steps in order, LUNs side by side; one that stands on a step that failed is left out."""

    steps: tuple[Step, ...]


class ObjectsAnswer(Struct, frozen=True, tag=True):
    """Comes before Seen, again and again: objects that were found so far. In one line they would take both sides much memory."""

    objects: tuple[lio_objects.Object, ...]


class ObservedAnswer(Struct, frozen=True, tag=True):
    """Answers Observe, with the last of the objects. They go without their keys, which JSON could not hold."""

    objects: tuple[lio_objects.Object, ...]
    foreign: tuple[str, ...]
    features: tuple[str, ...]
    sessions: tuple[IscsiSession, ...]
    missing: tuple[str, ...] = ()
    sizes: Mapping[str, int] = {}


class FailedAnswer(Struct, frozen=True, tag=True):
    """Answers a look that failed."""

    failure: Failure


class ProgressAnswer(Struct, frozen=True, tag=True):
    """Answers Apply, again and again until there is an outcome for each step: those since the last answer, by number.

    `under_way` are the numbers of the steps in hand, each with the directory that must be left alone if it hangs. It comes before
    Seen too: then there is one, the directory that is looked at.
    """

    outcomes: tuple[tuple[int, Failure | None], ...]
    under_way: tuple[tuple[int, str], ...] = ()


Request = Observe | PartialObserve | Apply
Answer = ObjectsAnswer | ObservedAnswer | FailedAnswer | ProgressAnswer

encode_message = json.Encoder().encode
decode_request = json.Decoder(Request).decode
decode_answer = json.Decoder(Answer).decode


def pack_observed(observed: Observed) -> ObservedAnswer:
    """Pack an observation."""
    objects = tuple(observed.objects.values())
    return ObservedAnswer(
        objects,
        tuple(observed.foreign),
        tuple(observed.features),
        observed.sessions,
        tuple(observed.missing),
        observed.sizes,
    )


def unpack_observed(answer: ObservedAnswer, objects: lio_objects.Objects) -> Observed:
    """Unpack an observation; `objects` are all that were seen."""
    return Observed(
        objects,
        frozenset(answer.foreign),
        frozenset(answer.features),
        answer.sessions,
        frozenset(answer.missing),
        answer.sizes,
    )
