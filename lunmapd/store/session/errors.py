"""Errors of reading the tree from this machine; each message says what to do next."""

from lunmapd.core.base.errors import ConditionError, Exit, LunmapdError
from lunmapd.core.base.reasons import Reason


class StoreError(LunmapdError):
    """Base of the errors of the store."""


class TreeError(StoreError, ConditionError, reason=None):
    """Base of the errors for which a node can't read or follow the tree.

    The condition StoreReadable has the reason.
    """


class NoAccessError(TreeError, reason=None):
    """The tree could not be read: no server answered, or this client is not authorised."""


class UnreachableError(NoAccessError, reason=Reason.UNREACHABLE):
    """ZooKeeper did not answer within the deadline (seconds)."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, deadline: float, detail: str = "") -> None:
        self.hosts = hosts
        super().__init__(
            f"no answer from ZooKeeper at {hosts} within {deadline:g} s{detail}: "
            "check that a majority of its servers runs"
        )


class LostError(UnreachableError, reason=Reason.LOST):
    """The connection broke, or the deadline passed, during a request. It may or may not have been done."""


class NotServedError(LostError, reason=Reason.LOST):
    """A server answered that it can't do the request now. It was not done."""

    def __init__(self, hosts: str, cause: str, remedy: str) -> None:
        super().__init__(hosts, 0)
        self.cause, self.remedy = cause, remedy

    def __str__(self) -> str:
        return f"ZooKeeper at {self.hosts} did not serve the request: {self.cause}; {self.remedy}"


class NoClientError(NoAccessError, reason=Reason.NO_CLIENT):
    """No ZooKeeper client can be created on this machine.

    For example, the process may open no more files or start no more threads.
    """

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, error: Exception) -> None:
        super().__init__(
            f"can't create a client for ZooKeeper at {hosts}: {error}; lunmapd retries by itself: "
            "check the limits of this process on open files and threads (LimitNOFILE and TasksMax in its "
            "unit), and its memory"
        )


class ServerRefusedError(TreeError, reason=Reason.REFUSED):
    """ZooKeeper answered with an unexpected error, such as a missing permission above the chroot.

    `path` is that of the znode in the tree, if it is known.
    """

    def __init__(
        self, cause: str, path: str = "", remedy: str = "check its ACLs, its quota and its log"
    ) -> None:
        at = f" at {path}" if path else ""
        super().__init__(f"ZooKeeper refused the request{at}: {cause}; {remedy}")


class NotInitialisedError(TreeError, reason=Reason.NOT_INITIALISED):
    """There is no tree: `meta` or `head` is missing. This says nothing about the desired map."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no {path}: restore the tree, or make a new one with 'lunmapctl init'")


class AlreadyInitialisedError(StoreError):
    """A tree exists; `cluster` is its uuid."""

    exit_code = Exit.CONFLICT

    def __init__(self, root: str, cluster: str) -> None:
        self.cluster = cluster
        super().__init__(
            f"{root} already holds the map of cluster {cluster}; use it, or choose another chroot"
        )


class ForeignClusterError(TreeError, reason=Reason.FOREIGN_CLUSTER):
    """The tree belongs to the cluster `found`, not to the cluster `known`."""

    exit_code = Exit.CONFLICT

    def __init__(self, known: str, found: str) -> None:
        self.known, self.found = known, found
        super().__init__(
            f"the tree belongs to cluster {found}, this node to {known}: check hosts and chroot; "
            "if the tree was replaced on purpose, remove the local snapshot"
        )


class WentBackError(TreeError, reason=Reason.WENT_BACK):
    """The tree is older than the one read before, or has another history.

    `known` and `found` are revisions.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, known: int, found: int) -> None:
        self.known, self.found = known, found
        what = (
            f"is at revision {found}, which is older than {known}"
            if found < known
            else f"has another revision {found} than the one"
        )
        super().__init__(
            f"the tree {what} read before, as after ZooKeeper was put back to older data: if that was "
            "on purpose, accept the tree with 'lunmapctl confirm --rewound'"
        )


class RestoredError(TreeError, reason=Reason.RESTORED):
    """The tree was restored since it was last read: it has the incarnation `found`, not `known`.

    `confirmed` is whether an admin has accepted the restored map since.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, known: int, found: int, revision: int, *, confirmed: bool) -> None:
        self.known, self.found, self.confirmed = known, found, confirmed
        super().__init__(
            f"the tree was restored (incarnation {found}, before it was {known}) and is at revision "
            f"{revision}: check the map, and accept it with 'lunmapctl confirm'"
        )


class NewerSchemaError(TreeError, reason=Reason.NEWER_SCHEMA):
    """The tree has a schema that this version does not know."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the tree has schema {found}, this version knows up to {known}: upgrade lunmapd on this machine"
        )


class OlderSchemaError(StoreError):
    """The tree has a schema that this version reads but does not write."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the tree has schema {found}, this version commits to schema {known} only: "
            "once every node is upgraded, run 'lunmapctl migrate'"
        )


class DamagedError(TreeError, reason=Reason.DAMAGED):
    """A znode that the structure of the tree depends on is missing or can't be decoded."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"the tree is damaged: {path}: {reason}; restore it from a backup, or make a new one with "
            "'lunmapctl init' under another chroot"
        )


class UnsteadyError(TreeError, reason=Reason.UNSTEADY):
    """The map changed during every attempt to read it."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"the map changed during each of {attempts} attempts to read it; try again")


class NodeNameTakenError(TreeError, reason=Reason.NODE_NAME_TAKEN):
    """Another machine is registered under this node's name.

    `machine` is its machine id, `since` its start (RFC 3339). With `twin` it has the same machine id as this
    machine.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, node: str, machine: str, since: str, *, twin: bool = False) -> None:
        self.machine, self.since = machine, since
        used = f"node name {node!r} is in use by machine {machine} since {since}"
        super().__init__(
            f"{used}, which has the id of this machine: one is a clone of the other. Stop lunmapd on the "
            "clone, give it an id of its own (rm /etc/machine-id; systemd-machine-id-setup) and another "
            "node name"
            if twin
            else f"{used}: give one of the two machines another node name"
        )
