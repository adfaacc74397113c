"""The result of one observation of a node's LIO."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.reservations import NO_RESERVATION_FILES, ReservationFiles

LOGGED_IN = "LOGGED_IN"
"""The state of a session that can do I/O.

Source: lio_target_nacl_info_show in drivers/target/iscsi/iscsi_target_configfs.c.
"""


class IscsiSession(Struct, frozen=True, gc=False):
    """A session of an initiator with a TPG.

    `state` is the kernel's name of the state (LOGGED_IN), `address` the initiator's IP address, empty if
    unknown. `isid` identifies the session on the host: open-iscsi keeps it when it connects again. `number`
    is LIO's own one of this login, which is never used again; 0 if unknown. `is_steady`: the session and its
    connection are logged in and not ending.
    """

    iqn: str
    tag: int
    initiator: str
    state: str
    address: str = ""
    isid: str = ""
    number: int = 0
    is_steady: bool = False


class SessionCounters(Struct, frozen=True, gc=False):
    """What the kernel counted of a target since its directory was made: below `fabric_statistics`.

    `accepts` are the logins, `normal_logouts` the requests of initiators to close a session,
    `abnormal_logouts` those to close or recover a connection, `sessions` the sessions that exist.
    `incarnation` is the inode of the target's directory: another one for a target that was made again.
    `is_steady`: the counters did not change while the sessions were read.
    Source: drivers/target/iscsi/iscsi_target_stat.c and iscsit_handle_logout_cmd in iscsi_target.c.
    """

    incarnation: int
    accepts: int = 0
    normal_logouts: int = 0
    abnormal_logouts: int = 0
    sessions: int = 0
    is_steady: bool = True


class Login(Struct, frozen=True, order=True):
    """An initiator that is logged in to a target at this node."""

    target: str
    initiator: str


class LoginCounters(Struct, frozen=True, gc=False, omit_defaults=True):
    """The kernel's counters of the refused logins of a target, since it was made.

    LIO keeps none for a single initiator. Each refused login counts in `negotiate_fails`, and in another
    counter of a more exact cause. `name` and `address` are those of the last refused login, empty if unknown;
    the kernel does not keep the name of an initiator without an ACL.

    Source: drivers/target/iscsi/iscsi_target_stat.c, iscsit_collect_login_stats in iscsi_target_util.c.
    """

    target: str
    authenticate_fails: int = 0
    authorize_fails: int = 0
    negotiate_fails: int = 0
    other_fails: int = 0
    name: str = ""
    address: str = ""


class AclLuns(Struct, frozen=True, gc=False):
    """An ACL of a TPG, and the numbers of some of its mapped LUNs."""

    iqn: str
    tag: int
    initiator: str
    luns: tuple[int, ...]


class HostCommands(Struct, frozen=True, gc=False):
    """The commands that an initiator has sent to Luns of a TPG, as the kernel counts them.

    `counts` are pairs of a LUN number and the commands since the mapped LUN was made, of all sessions and of
    every kind. `in_flight`: its session has commands without an answer. Sources: transport_lookup_cmd_lun in
    drivers/target/target_core_device.c, lio_target_nacl_info_show in iscsi/iscsi_target_configfs.c.
    """

    iqn: str
    tag: int
    initiator: str
    counts: tuple[tuple[int, int], ...] = ()
    in_flight: bool = False


class Observed(Struct, frozen=True):
    """lunmapd's LIO objects, and the facts about LIO that a pass needs.

    `objects` are lunmapd's objects by key. `foreign` are the names of the targets of other tools.
    `features` are those of the kernel, such as PORT_ID. `sessions` are those with lunmapd's TPGs.
    `backings` maps the name of a storage object whose backing is on a path, or whose handler is away, to
    the facts about it. `reservations` are the files in which the kernel keeps persistent reservations.
    `login_counters` are those of lunmapd's targets. `misspelled` are directories in these targets, such
    as `lun_01`, whose number is not spelled as any tool does. `counters` are those of the sessions of
    lunmapd's targets, by name; a kernel without these files has none.
    """

    objects: Mapping[lio_objects.Key, lio_objects.Object] = {}
    foreign: AbstractSet[str] = frozenset()
    features: AbstractSet[str] = frozenset()
    sessions: tuple[IscsiSession, ...] = ()
    backings: Mapping[str, BackingFacts] = {}
    reservations: ReservationFiles = NO_RESERVATION_FILES
    login_counters: tuple[LoginCounters, ...] = ()
    misspelled: AbstractSet[str] = frozenset()
    counters: Mapping[str, SessionCounters] = {}

    @property
    def session_count(self) -> int:
        """The number of sessions; an initiator may have several with a target.

        For a target without counters each initiator counts as one session.
        """
        rest = sum(session.iqn not in self.counters for session in self.sessions)
        return sum(entry.sessions for entry in self.counters.values()) + rest
