"""Errors of reading the history; each message says what to do next."""

from lunmapd.core.base.errors import Exit
from lunmapd.store.session.errors import StoreError


class NoSuchRevisionError(StoreError):
    """There is no such revision yet."""

    def __init__(self, revision: int, newest: int) -> None:
        self.revision, self.newest = revision, newest
        super().__init__(f"there is no revision {revision}: the newest one is {newest}; see 'lunmapctl log'")


class HistoryTrimmedError(StoreError):
    """The history does not reach back to `revision`; `oldest` is its first revision."""

    def __init__(self, revision: int, oldest: int) -> None:
        self.revision, self.oldest = revision, oldest
        super().__init__(
            f"the history does not go back to revision {revision}: the oldest one kept is {oldest}; "
            "older ones are in backups only"
        )


class PartOnlyError(StoreError):
    """The revision is a part of a large commit; nodes never followed it by itself."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        super().__init__(
            f"revision {revision} is only a part of a large commit: choose the one before its first part, "
            "or its last part; see 'lunmapctl log'"
        )


class HistoryUnknownError(StoreError):
    """Objects were edited out of band, and the revisions do not say what these objects should be."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "objects were edited out of band, and the history does not go back far enough to show what they "
            "were: record the edits with 'lunmapctl apply' first"
        )
