"""The vocabulary of the debug log: the events that are logged; `event_reasons` has their reasons.

docs/operations.md shows each event by an example; tests/unit/service/test_debugging_docs.py compares the two.
"""

from enum import Enum, unique


@unique
class Event(Enum):
    """The choices that are logged; the value is the line, and each name in braces is a journal field too."""

    WOKEN = "cycle starts: {causes}"
    PAUSED = "waits at most {seconds:.1f} s, until {timer}"
    READ_NOTHING = "read of the tree: nothing new after revision {revision}"
    READ_HEAD = (
        "read of the tree: still revision {revision}, with another state of an import or a confirmation"
    )
    READ_DELTA = "delta read of the tree: {count} revisions, from {since} to {revision}"
    READ_FULL = "full read of the tree: {reason}"
    PARTIAL_RECONCILE = "partial pass by revision {revision}: {count} objects of {luns} Luns"
    FULL_RECONCILE = "full pass by revision {revision}: {reason}"
    RECONCILED = "revision {revision}: {done} steps done, {failing} objects fail, {remaining} steps remain"
    RECONCILE_HELD = "revision {revision} is held until it is confirmed: it would {reason}"
    WITHHELD = "{count} objects are not as desired. {reasons}"
    BACK_OFF = "{count} objects are deferred, the next one for {seconds:.1f} s: {objects}"
    STATUS_WRITTEN = "status written: {reason}"
    STATUS_UNCHANGED = "status not written: it is unchanged, its heartbeat is due in {seconds:.1f} s"
    STATUS_FAILED = "status not written: {reason}"
    SNAPSHOT_WRITTEN = "local snapshot: {entry} written, the file has {size} bytes"
    SNAPSHOT_FAILED = "local snapshot: {entry} not written: {reason}"
    WORKER_STARTED = "worker {pid} started"
    WORKER_LOST = "worker {pid} is lost and left behind: {reason}"
    WORKER_ENDED = "worker {pid}, which was left behind, has ended: its directory is read again"
    CONNECT_FAILED = "ZooKeeper: no connection to {server}: {reason}"
    SESSION_NEW = "ZooKeeper: new session {session} through {server}"
    SESSION_RESUMED = "ZooKeeper: session {session} resumed through {server}"
    SESSION_SUSPENDED = "ZooKeeper: connection to {server} lost, session {session} is suspended"
    SESSION_LOST = "ZooKeeper: session {session} ended: {reason}"
    CLIENT_REBUILT = (
        "ZooKeeper: a new client replaces the old one: {reason}; the next in {seconds:.1f} s at least"
    )

    @property
    def line(self) -> str:
        """The line, with the names of its fields in braces."""
        return self.value
