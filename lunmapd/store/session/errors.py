"""What can go wrong between this machine and the tree; each says what to do next."""

from lunmapd.core.base.errors import ConditionError, Exit, LunmapdError
from lunmapd.core.base.reasons import Reason


class StoreError(LunmapdError):
    """Root of the errors of the store."""


class TreeError(StoreError, ConditionError, reason=None):
    """Root of the errors for which a node can't read or follow the tree: its condition StoreReadable has the reason."""


class NoAccessError(TreeError, reason=None):
    """Nothing was heard of the tree, whether nobody answered or we may not know."""


class UnreachableError(NoAccessError, reason=Reason.UNREACHABLE):
    """No answer from ZooKeeper within the deadline (seconds)."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, deadline: float, detail: str = "") -> None:
        self.hosts = hosts
        super().__init__(
            f"no answer from ZooKeeper at {hosts} within {deadline:g} s{detail}: check that a majority of its servers runs"
        )


class LostError(UnreachableError, reason=Reason.LOST):
    """The connection broke, or the deadline passed, with a request under way: it may or may not have been done."""


class NoClientError(NoAccessError, reason=Reason.NO_CLIENT):
    """No client of ZooKeeper can be made on this machine, as when the process may open no more files or threads."""

    exit_code = Exit.UNREACHABLE

    def __init__(self, hosts: str, error: Exception) -> None:
        super().__init__(
            f"can't begin to connect to ZooKeeper at {hosts}: {error}; it is tried again by itself: see what uses up the files "
            "and threads of this process (LimitNOFILE and TasksMax in its unit, memory)"
        )


class ServerRefusedError(TreeError, reason=Reason.REFUSED):
    """ZooKeeper answered with an error that no part of lunmapd expects, such as a missing permission."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"ZooKeeper refused the request: {reason}; check its ACLs, its quota and its log")


class NotInitialisedError(TreeError, reason=Reason.NOT_INITIALISED):
    """There is no tree: meta or head is missing. It says nothing about what the map should be."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no {path}: restore the tree, or make a new one with 'lunmapctl init'")


class AlreadyInitialisedError(StoreError):
    """There is a tree already; `cluster` is its uuid."""

    exit_code = Exit.CONFLICT

    def __init__(self, root: str, cluster: str) -> None:
        self.cluster = cluster
        super().__init__(
            f"{root} already holds the map of cluster {cluster}; use it, or choose another chroot"
        )


class ForeignClusterError(TreeError, reason=Reason.FOREIGN_CLUSTER):
    """The tree belongs to another cluster than the one known."""

    exit_code = Exit.CONFLICT

    def __init__(self, known: str, found: str) -> None:
        self.known, self.found = known, found
        super().__init__(
            f"the tree is that of cluster {found}, this node belongs to {known}: check hosts and chroot; "
            "if the tree was made anew on purpose, remove the local snapshot"
        )


class WentBackError(TreeError, reason=Reason.WENT_BACK):
    """The tree is older than what was read before, or tells another history; revisions are `known` and `found`."""

    exit_code = Exit.CONFLICT

    def __init__(self, known: int, found: int) -> None:
        self.known, self.found = known, found
        what = (
            f"is at revision {found}, which is older than {known}"
            if found < known
            else f"has another revision {found} than the one"
        )
        super().__init__(
            f"the tree {what} seen before, as when ZooKeeper was put back to older data: if that is meant, say so with "
            "'lunmapctl confirm --rewound'"
        )


class RestoredError(TreeError, reason=Reason.RESTORED):
    """The tree was restored since it was last read: it has the incarnation `found`, not `known`.

    `confirmed` tells whether somebody has said since that the restored map is the right one.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, known: int, found: int, revision: int, *, confirmed: bool) -> None:
        self.known, self.found, self.confirmed = known, found, confirmed
        super().__init__(
            f"the tree was restored (incarnation {found}, known was {known}) and is at revision {revision}: "
            "look at it, and accept it with 'lunmapctl confirm'"
        )


class NewerSchemaError(TreeError, reason=Reason.NEWER_SCHEMA):
    """The tree has a schema that this version doesn't know."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the tree has schema {found}, this version knows up to {known}: upgrade lunmapd on this machine"
        )


class OlderSchemaError(StoreError):
    """The tree has a schema that this version reads but does not write."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the tree has schema {found}, this version commits to {known} only: once every node is upgraded, run 'lunmapctl migrate'"
        )


class DamagedError(TreeError, reason=Reason.DAMAGED):
    """A znode that holds the tree together is missing or can't be read."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"the tree is damaged: {path}: {reason}; restore it from a backup or with 'lunmapctl init' under a new chroot"
        )


class UnsteadyError(TreeError, reason=Reason.UNSTEADY):
    """The map changed during every attempt to read it."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"the map changed during each of {attempts} attempts to read it; try again")


class NodeNameTakenError(TreeError, reason=Reason.NODE_NAME_TAKEN):
    """Another machine is registered under this node's name: its machine id and since when. A `twin` has the same id."""

    exit_code = Exit.CONFLICT

    def __init__(self, node: str, machine: str, since: str, *, twin: bool = False) -> None:
        self.machine, self.since = machine, since
        used = f"node name {node!r} is in use by machine {machine} since {since}"
        super().__init__(
            f"{used}, though this machine has that id: stop lunmapd on the other, which is a clone, give it an id of its own "
            "(rm /etc/machine-id; systemd-machine-id-setup) and another node name"
            if twin
            else f"{used}: give one of the two another name"
        )
