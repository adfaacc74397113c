"""The protocol between the daemon and the lease process: one JSON document a line.

A request has a number, and its answer has the same. Answers may come in another order, since duplicate
detections go on beside other requests. Both processes have the same version, so the protocol can change with
any version.
"""

from msgspec import Struct, json

from lunmapd.agent.floating.addresses import Duplicate, GroupAddresses
from lunmapd.core.node.failure import Failure


class PresenceRequest(Struct, frozen=True, tag=True):
    """Answered by PresenceAnswer."""

    number: int
    group: GroupAddresses


class DetectRequest(Struct, frozen=True, tag=True):
    """Answered by DuplicateAnswer."""

    number: int
    group: GroupAddresses


class GrantRequest(Struct, frozen=True, tag=True):
    """Give the addresses to the kernel for `lifetime` seconds; answered by DoneAnswer.

    No call begins after `not_after`, a time of CLOCK_BOOTTIME in seconds.
    """

    number: int
    group: GroupAddresses
    lifetime: int
    not_after: float


class AnnounceRequest(Struct, frozen=True, tag=True):
    """Answered by DoneAnswer after the first announcement."""

    number: int
    group: GroupAddresses


class DropRequest(Struct, frozen=True, tag=True):
    """Answered by DoneAnswer when the kernel does not show the addresses any more."""

    number: int
    group: GroupAddresses


class ReadyAnswer(Struct, frozen=True, tag=True):
    """The first answer, without a request: no other lease process of this node runs."""


class PresenceAnswer(Struct, frozen=True, tag=True):
    """Which addresses the kernel has, and what keeps this node from serving the others."""

    number: int
    present: tuple[str, ...]
    problem: Failure | None = None


class DuplicateAnswer(Struct, frozen=True, tag=True):
    """The end of a duplicate detection."""

    number: int
    duplicate: Duplicate | None = None


class DoneAnswer(Struct, frozen=True, tag=True):
    """What was requested is done."""

    number: int


class RefusedAnswer(Struct, frozen=True, tag=True):
    """What was requested could not be done."""

    number: int
    failure: Failure


LeaseRequest = PresenceRequest | DetectRequest | GrantRequest | AnnounceRequest | DropRequest
NumberedAnswer = PresenceAnswer | DuplicateAnswer | DoneAnswer | RefusedAnswer
LeaseAnswer = ReadyAnswer | NumberedAnswer

encode_frame = json.Encoder().encode
decode_lease_request = json.Decoder(LeaseRequest).decode
decode_lease_answer = json.Decoder(LeaseAnswer).decode
