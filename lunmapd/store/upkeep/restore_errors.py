"""Why a backup is not restored; each says what to do next."""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError


class TreeExistsError(StoreError):
    """There is a tree already, or a part of one, of this cluster as far as it can be told."""

    exit_code = Exit.CONFLICT

    def __init__(self, root: str, cluster: str, *, whole: bool) -> None:
        self.cluster = cluster
        what = (
            f"the map of cluster {cluster}" if whole else "parts of a tree, as after a restore that stopped"
        )
        super().__init__(
            f"{root} holds {what}; nothing was restored: choose another chroot, or replace it with '--replace {cluster}'"
        )


class RestoreBusyError(StoreError):
    """Somebody else changed the tree while the backup was restored."""

    exit_code = Exit.CONFLICT

    def __init__(self, path: str) -> None:
        super().__init__(
            f"another client wrote {path} meanwhile; the restore is not complete and no node follows it: "
            "see that nobody else is at work, and restore again"
        )


class BadBackupError(StoreError):
    """The file is whole, but what it holds is not a tree of this version."""

    exit_code = Exit.INVALID

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"the backup can't be used: {path}: {reason}; nothing was restored")
