"""The protocol between the daemon and its worker: one JSON document a line.

The daemon sends one request at a time and waits for its answers. A worker that is stuck in a step is killed
and abandoned, so that it makes no further step when the kernel lets it go. Both processes have the same
version, so the protocol can change with any version.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, json

from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import (
    AclLuns,
    HostCommands,
    IscsiSession,
    LoginCounters,
    Observed,
    SessionCounters,
)
from lunmapd.core.node.reservations import NO_RESERVATION_FILES, ReservationFiles
from lunmapd.core.planning.plan import Step
from lunmapd.lio.base.observation import StuckDirectory


class Observe(Struct, frozen=True, tag=True):
    """Observe LIO. `claims` are claimed target names, `stuck` the directories that must not be read."""

    claims: tuple[str, ...]
    stuck: tuple[StuckDirectory, ...] = ()


class PartialObserve(Struct, frozen=True, tag=True):
    """Observe these objects only, given as they are desired.

    Answered by ObservedAnswer, or by FailedAnswer if a full observation is needed.
    """

    items: tuple[lio_objects.Object, ...]


class CountCommands(Struct, frozen=True, tag=True):
    """Count the commands that initiators have sent to these mapped LUNs; answered by ObservedAnswer."""

    acls: tuple[AclLuns, ...]


class Apply(Struct, frozen=True, tag=True):
    """Apply these steps in order, LUNs in parallel. A step that depends on a failed step is left out."""

    steps: tuple[Step, ...]


GroupedFacts = tuple[tuple[BackingFacts, tuple[str, ...]], ...]
"""Facts about backings, each with the names of the storage objects that they are about.

Many devices have the same facts; files have facts of their own, since the identity of the file is one.
"""


class ObjectsAnswer(Struct, frozen=True, tag=True):
    """Some of the observed objects and backings, sent any number of times before ObservedAnswer.

    All of them in one line would take much memory on both sides.
    """

    objects: tuple[lio_objects.Object, ...]
    backings: GroupedFacts = ()


class ObservedAnswer(Struct, frozen=True, tag=True):
    """The last answer to Observe, with the rest of the objects and backings; fields are those of Observed.

    Objects are sent without their keys, since a JSON object has no tuples as keys. `commands` are the only
    field of an answer to CountCommands.
    """

    objects: tuple[lio_objects.Object, ...]
    foreign: tuple[str, ...]
    features: tuple[str, ...]
    sessions: tuple[IscsiSession, ...]
    backings: GroupedFacts = ()
    reservations: ReservationFiles = NO_RESERVATION_FILES
    login_counters: tuple[LoginCounters, ...] = ()
    misspelled: tuple[str, ...] = ()
    counters: Mapping[str, SessionCounters] = {}
    commands: tuple[HostCommands, ...] = ()


class FailedAnswer(Struct, frozen=True, tag=True):
    """The answer to an observation that failed."""

    failure: Failure


class ProgressAnswer(Struct, frozen=True, tag=True):
    """Answers to Apply, until each step has an outcome.

    `outcomes` are those since the last answer: pairs of the step's number and its failure, None for a step
    that is done. `under_way` are pairs of the number of a step that goes on and the directory that it blocks
    if it is stuck. During an observation there is one pair, with number 0 and the directory that is read.
    """

    outcomes: tuple[tuple[int, Failure | None], ...]
    under_way: tuple[tuple[int, str], ...] = ()


Request = Observe | PartialObserve | CountCommands | Apply
Answer = ObjectsAnswer | ObservedAnswer | FailedAnswer | ProgressAnswer

encode_message = json.Encoder().encode
decode_request = json.Decoder(Request).decode
decode_answer = json.Decoder(Answer).decode


def group_facts(backings: Mapping[str, BackingFacts]) -> GroupedFacts:
    """Return the facts by name of the storage object, as they are sent."""
    groups: dict[BackingFacts, list[str]] = {}
    for name, facts in backings.items():
        groups.setdefault(facts, []).append(name)
    return tuple((facts, tuple(names)) for facts, names in groups.items())


FindObject = Callable[[lio_objects.Key], lio_objects.Object | None]
"""Returns an observed object by its key, None if there is none."""


def ungroup_facts(groups: GroupedFacts, find: FindObject) -> Iterator[tuple[str, BackingFacts]]:
    """Yield the name of each storage object, as the same text as in the observed object, with its facts."""
    for facts, names in groups:
        for name in names:
            yield _same_name(name, find), facts


def _same_name(name: str, find: FindObject) -> str:
    item = find(("storage_object", name))
    return item.name if isinstance(item, lio_objects.StorageObject) else name


def pack_observed(observed: Observed) -> ObservedAnswer:
    """Return the answer for an observation."""
    objects = tuple(observed.objects.values())
    return ObservedAnswer(
        objects,
        tuple(observed.foreign),
        tuple(observed.features),
        observed.sessions,
        group_facts(observed.backings),
        observed.reservations,
        observed.login_counters,
        tuple(observed.misspelled),
        observed.counters,
    )


def unpack_observed(
    answer: ObservedAnswer, objects: lio_objects.Objects, backings: Mapping[str, BackingFacts]
) -> Observed:
    """Return the observation of an answer.

    `objects` are all observed objects, by key, `backings` the facts of all, by name of the storage object.
    """
    return Observed(
        objects,
        frozenset(answer.foreign),
        frozenset(answer.features),
        answer.sessions,
        backings,
        answer.reservations,
        answer.login_counters,
        frozenset(answer.misspelled),
        answer.counters,
    )
