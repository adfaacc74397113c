"""What the daemon and its worker say to each other: one JSON document a line.

The daemon asks one thing at a time and waits for its answer, so that a worker that is left behind has nothing more
to do than the step in which it hangs.
"""

from msgspec import Struct, json

from lunmapd.core import lio
from lunmapd.core.observed import Observed, Session
from lunmapd.core.outcome import Failure
from lunmapd.core.plan import Step
from lunmapd.lio.look import Held


class Observe(Struct, frozen=True, tag=True):
    """Look at the kernel."""

    claims: tuple[str, ...]
    held: tuple[Held, ...] = ()


class Apply(Struct, frozen=True, tag=True):
    """Do one step."""

    step: Step


class Seen(Struct, frozen=True, tag=True):
    """Answers Observe. The objects go without their keys, which JSON could not hold."""

    objects: tuple[lio.Object, ...]
    foreign: tuple[str, ...]
    features: tuple[str, ...]
    sessions: tuple[Session, ...]


class Started(Struct, frozen=True, tag=True):
    """Comes before Done: the directory that must be left alone if the step hangs."""

    path: str


class Done(Struct, frozen=True, tag=True):
    """Answers Apply, or Observe where that failed."""

    failure: Failure | None = None


Request = Observe | Apply
Answer = Seen | Started | Done

encode = json.Encoder().encode
decode_request = json.Decoder(Request).decode
decode_answer = json.Decoder(Answer).decode


def seen(observed: Observed) -> Seen:
    """Pack an observation."""
    objects = tuple(observed.objects.values())
    return Seen(objects, tuple(observed.foreign), tuple(observed.features), observed.sessions)


def observed_of(answer: Seen) -> Observed:
    """Unpack an observation."""
    objects = lio.keyed(list(answer.objects))
    return Observed(objects, frozenset(answer.foreign), frozenset(answer.features), answer.sessions)
