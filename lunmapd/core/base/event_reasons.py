"""The vocabulary of the debug log: the reasons that its events give.

Only the daemon gives them, so a command line that logs its connection does not import them.
"""

from enum import StrEnum


class WakeCause(StrEnum):
    """Why a cycle starts: `causes` of WOKEN."""

    START = "start"
    WATCH = "watch"
    SESSION = "session"
    DEVICE = "device"
    PORTAL = "portal"
    BACKING = "backing"
    LEASE = "lease"
    RELOAD = "SIGHUP"
    STOP = "SIGTERM"
    TIMER = "timer"


class Timer(StrEnum):
    """Which timer starts the next cycle, if nothing else does: `timer` of PAUSED."""

    RESYNC = "resync"
    RETRY = "retry"
    BACK_OFF = "back-off"
    LEFT_EMPTY = "the end of the time that a LUN number stays empty"
    DRAINING = "the next look whether hosts have left a drained node, or a group has moved"
    AUDIT = "audit"
    ISOLATION = "isolation"
    ROLLOUT = "the deadline of a rollout"


class FullRead(StrEnum):
    """Why the whole tree is read: `reason` of READ_FULL."""

    START = "the daemon has just started"
    RELOADED = "the settings were read again"
    DUE = "full_read is due"
    NOTHING_KNOWN = "no earlier read to build on"
    OUT_OF_BAND = "the last read found out-of-band edits, and head changed"
    MANY = "too many revisions are new"
    REVISION_MISSING = "a new revision is missing from the history"
    REVISION_UNFIT = "a new revision does not lead to its digest"


class FullPass(StrEnum):
    """Why a pass is a full one: `reason` of FULL_RECONCILE."""

    FIRST = "the first one"
    NO_AUDIT = "partial passes are off, since resync is 0"
    AUDIT = "the audit is due"
    RETRY = "a deferred object is due"
    LEFT_EMPTY = "a LUN number was empty for long enough"
    DRAINING = "hosts may have left a drained node, or a group has moved"
    RELOADED = "the settings were read again"
    CHANGED_OUTSIDE = "a device or a session is new while objects fail"
    INTERRUPTED = "the last pass did not complete"
    HELD = "the last pass was held until the removal is confirmed"
    NOT_FULLY_ENABLED = "the last full pass left TPGs disabled (isolation)"
    UNREADABLE = "a document of the map could not be read in the last full pass"
    UNKNOWN_DESIRED = "the last full pass could not compute all desired objects"
    MANY_FAILURES = "too many objects failed in the last full pass"
    LEFTOVERS = "leftovers of a crash remain from the last full pass"
    ISOLATION = "isolation changes what is enabled"
    DOCUMENTS = "a document of the map can't be read"
    OUT_OF_BAND = "an out-of-band edit is refused"
    PORTALS = "a portal was found to serve, or no longer"
    BACKINGS = "a file or device was found to be readable, or no longer"
    POLICY = "keys, confirmed removals or the disruption limit changed"
    OTHER_OBJECTS = "targets, groups or nodes changed"
    INITIATOR = "an initiator changed"
    MANY_LUNS = "too many Luns changed"
    RULES = "a changed Lun breaks a rule of the map"
    IDENTITY = "a changed Lun has an identity of another Lun"
    READ_ONLY = "a changed Lun is open for reading alone"
    LUN_NUMBER = "a changed Lun takes the LUN number of another Lun"
    OTHER_DATA = "a LUN number leads to another Lun"
    CHAP = "CHAP credentials of a new ACL can't be opened"
    UNFINISHED = "the change concerns objects that are not as desired yet"
    NOT_OBSERVED = "the worker can't observe the changed objects alone"
    DRIFT = "the changed objects have drifted"
    REMOVALS = "the change removes much"
    DISRUPTION = "the change may disrupt initiators"
    RESERVATIONS = "a new storage object has reservations on disk"
    UNFIT_BACKING = "the file or device of a changed Lun is not as the Lun needs it"
    NOT_CONVERGED = "the changed objects are not as desired after the steps"
