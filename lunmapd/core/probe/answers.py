"""What the probe was answered at each portal, in each target and by each LUN."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.probe.scsi import Capacity, DeviceId, Inquiry, PortGroup, Sense


class Outcome(StrEnum):
    """How a portal or target answered.

    ANSWERS: as asked. REFUSES: it refused the login, so its login thread lives. SILENT: it accepted the
    connection and then gave no answer in time. LOST: it closed the connection. UNREACHABLE: there was no
    connection. NOT_ASKED: the probe ended before.
    """

    ANSWERS = "answers"
    REFUSES = "refuses"
    SILENT = "silent"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not-asked"


class LunAnswer(Struct, frozen=True, kw_only=True):
    """What a LUN answered. A field is None if its command failed or was not sent.

    `is_tested`: TEST UNIT READY was answered, and failed for the reason `not_ready` unless that is None.
    `failures` maps the other commands that failed to the reason. `is_reserved`: another initiator has
    reserved the LUN. `is_read`: reading blocks succeeded, None if none was read.
    """

    is_tested: bool = False
    not_ready: Sense | None = None
    inquiry: Inquiry | None = None
    serial: str | None = None
    device_id: DeviceId | None = None
    capacity: Capacity | None = None
    port_groups: Mapping[int, PortGroup] | None = None
    read_only: bool | None = None
    is_read: bool | None = None
    is_reserved: bool = False
    failures: Mapping[str, str] = {}


class TargetAnswer(Struct, frozen=True, kw_only=True):
    """How the login to a target went, and its LUNs by number; `numbers` are those of REPORT LUNS.

    `luns` lacks the LUNs that were not asked because the session ended before, for the reason `detail`.
    """

    outcome: Outcome
    detail: str = ""
    numbers: AbstractSet[int] = frozenset()
    luns: Mapping[int, LunAnswer] = {}


class PortalAnswer(Struct, frozen=True, kw_only=True):
    """How discovery at a portal went, and its targets.

    `seconds` is the time of the discovery. `listed` maps targets to their portals as `address:port,tag`, None
    if they could not be listed.
    """

    outcome: Outcome
    detail: str = ""
    seconds: float = 0.0
    listed: Mapping[str, AbstractSet[str]] | None = None
    targets: Mapping[str, TargetAnswer] = {}
