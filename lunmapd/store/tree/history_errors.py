"""What can't be told of the history."""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError


class NoSuchRevisionError(StoreError):
    """There is no such revision yet."""

    def __init__(self, revision: int, newest: int) -> None:
        self.revision, self.newest = revision, newest
        super().__init__(f"there is no revision {revision}: the newest one is {newest}; see 'lunmapctl log'")


class HistoryTrimmedError(StoreError):
    """The history does not go back to `revision`; `oldest` is the first that it has."""

    def __init__(self, revision: int, oldest: int) -> None:
        self.revision, self.oldest = revision, oldest
        super().__init__(
            f"the history does not go back to revision {revision}: the oldest one kept is {oldest}; older ones are in backups only"
        )


class PartOnlyError(StoreError):
    """The revision is a part of a large commit, which nodes never followed by itself."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        super().__init__(
            f"revision {revision} is only a part of a large commit: choose the one before its first part, or its last part; "
            "see 'lunmapctl log'"
        )


class HistoryUnknownError(StoreError):
    """Objects were edited around the tools, and the revisions do not say what they should be."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "objects were edited around the tools, and the history does not go back far enough to tell what they were: "
            "take them in with 'lunmapctl apply' first"
        )
