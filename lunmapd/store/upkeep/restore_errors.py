"""Errors of a restore; each message says what to do next."""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError


class TreeExistsError(StoreError):
    """The chroot holds a tree or a part of one.

    `cluster` is its cluster, or that of the backup if it is unknown.
    """

    exit_code = Exit.CONFLICT

    def __init__(self, root: str, cluster: str, *, whole: bool) -> None:
        self.cluster = cluster
        what = (
            f"the map of cluster {cluster}" if whole else "parts of a tree, as after a restore that stopped"
        )
        super().__init__(
            f"{root} holds {what}; nothing was restored: choose another chroot, or replace it with "
            f"'--replace {cluster}'"
        )


class RestoreBusyError(StoreError):
    """Another client wrote to the tree during the restore."""

    exit_code = Exit.CONFLICT

    def __init__(self, path: str) -> None:
        super().__init__(
            f"another client wrote {path} meanwhile; the restore is not complete and no node follows it: "
            "stop the other client, and restore again"
        )


class BadBackupError(StoreError):
    """The file is whole, but its content is not a tree of this version."""

    exit_code = Exit.INVALID

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the backup can't be used: {path}: {reason}; nothing was restored")
