"""The reasons in a node's status: of its conditions, and of the objects that fail.

Programs compare the values, so a value never changes and is never reused. docs/znodes.md explains each that a
status lists. A status of another version may hold values that are not listed here: decoded documents have
them as `str`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition holds or does not hold, or why an object fails: one CamelCase word for programs."""

    # Conditions that hold.
    READ = "Read"
    KEPT = "Kept"
    AS_COMMITTED = "AsCommitted"
    ALONE = "Alone"
    OFFERED = "Offered"
    SEEN = "Seen"
    OWNED = "Owned"
    STANDBY = "Standby"

    # StoreReadable is false.
    UNREACHABLE = "Unreachable"
    LOST = "Lost"
    NOT_INITIALISED = "NotInitialised"
    FOREIGN_CLUSTER = "ForeignCluster"
    WENT_BACK = "WentBack"
    RESTORED = "Restored"
    NEWER_SCHEMA = "NewerSchema"
    DAMAGED = "Damaged"
    UNSTEADY = "Unsteady"
    REFUSED = "Refused"
    NO_CLIENT = "NoClient"
    TLS_FAILED = "TlsFailed"
    NOT_AUTHENTICATED = "NotAuthenticated"
    CREDENTIALS = "Credentials"
    SASL_MISSING = "SaslMissing"
    UNKNOWN_IDENTITY = "UnknownIdentity"
    NOT_PERMITTED = "NotPermitted"
    NODE_NAME_TAKEN = "NodeNameTaken"

    # MapFresh, MapKept, AddressesKept, MapUnedited, BootUncontested, PathsOffered, ReservationsKept is false.
    NOT_READ = "NotRead"
    FROM_SNAPSHOT = "FromSnapshot"
    SNAPSHOT_TOO_OLD = "SnapshotTooOld"
    SNAPSHOT_DAMAGED = "SnapshotDamaged"
    NO_SNAPSHOT = "NoSnapshot"
    UNWRITABLE = "Unwritable"
    EDITED_AROUND = "EditedAround"
    SAVED_ELSEWHERE = "SavedElsewhere"
    ISOLATED = "Isolated"
    NO_CONTACT_YET = "NoContactYet"
    NOT_RESTORED = "NotRestored"

    # FloatingServed is false.
    NO_FIT_NODE = "NoFitNode"
    ADDRESS_IN_USE = "AddressInUse"
    LEASE_LOST = "LeaseLost"
    LEASE_UNBOUNDED = "LeaseUnbounded"
    LEASE_PROCESS = "LeaseProcess"
    NO_INTERFACE = "NoInterface"
    NO_LINK = "NoLink"
    HOOK_FAILED = "HookFailed"
    NOT_PROMOTABLE = "NotPromotable"

    # Applied is false.
    FAILING = "Failing"
    REMAINING = "Remaining"
    WITHHELD = "Withheld"
    REMOVAL_HELD = "RemovalHeld"
    NO_MAP = "NoMap"
    NODE_UNKNOWN = "NodeUnknown"
    KERNEL_UNREADABLE = "KernelUnreadable"
    CLAIMS_UNREADABLE = "ClaimsUnreadable"
    CLAIMS_UNWRITABLE = "ClaimsUnwritable"

    # Applied is false, and an object fails.
    HELD = "Held"
    DRIFTED = "Drifted"
    LEFT_EMPTY = "LeftEmpty"
    DRAINING = "Draining"
    MOVING = "Moving"

    # An object fails.
    WAITING = "Waiting"
    BACKING_MISSING = "BackingDeviceMissing"
    BACKING_UNUSABLE = "BackingUnusable"
    BACKING_REPLACED = "BackingReplaced"
    BACKING_TRUNCATED = "BackingTruncated"
    BACKING_READ_ONLY = "BackingReadOnly"
    BACKING_UNREADABLE = "BackingUnreadable"
    BACKING_HANGS = "BackingHangs"
    HANDLER_AWAY = "HandlerAway"
    SIZE_MISMATCH = "SizeMismatch"
    BLOCK_SIZE_MISMATCH = "BlockSizeMismatch"
    IN_USE = "InUse"
    ATTRIBUTE_UNSUPPORTED = "AttributeUnsupported"
    PORT_ID_TAKEN = "PortIdTaken"
    PORTAL_ADDRESS_MISSING = "PortalAddressMissing"
    PORTAL_IN_USE = "PortalInUse"
    PORTAL_REFUSED = "PortalRefused"
    KERNEL_REFUSED = "KernelRefused"
    STUCK = "Stuck"
    SECRET_UNDECODABLE = "SecretUndecodable"  # noqa: S105 - a reason, no password
    SECRET_UNFIT = "SecretUnfit"  # noqa: S105 - a reason, no password
    INTERNAL = "Internal"
    WORKER_DIED = "WorkerDied"
    FOREIGN_TARGET = "ForeignTarget"
    FOREIGN_DIRECTORY = "ForeignDirectory"
    SERIAL_IMMUTABLE = "SerialImmutable"
    EDIT_REFUSED = "EditRefused"
    DOCUMENT_UNREADABLE = "DocumentUnreadable"
    DOCUMENT_INVALID = "DocumentInvalid"
    SURPRISED = "Surprised"


OF_BACKINGS = frozenset(
    {
        Reason.BACKING_MISSING,
        Reason.BACKING_UNUSABLE,
        Reason.BACKING_REPLACED,
        Reason.BACKING_TRUNCATED,
        Reason.BACKING_READ_ONLY,
        Reason.BACKING_UNREADABLE,
        Reason.BACKING_HANGS,
        Reason.HANDLER_AWAY,
        Reason.SIZE_MISMATCH,
        Reason.BLOCK_SIZE_MISMATCH,
        Reason.IN_USE,
        Reason.STUCK,
    }
)
"""The reasons that lie with a node's devices and files, not with the map."""

OF_PORTALS = frozenset({Reason.PORTAL_ADDRESS_MISSING, Reason.PORTAL_REFUSED})
"""The reasons that lie with a node's network or with the kernel's login threads, not with the map."""

NOT_LISTED = frozenset({Reason.WAITING, Reason.SURPRISED})
"""The reasons that no status holds.

An object that waits is only counted; an unexpected state leads to a full observation.
"""
