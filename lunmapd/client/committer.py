"""What all operations that commit share: the session, the options, and the kept part of the rules."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from lunmapd.client.author import default_author
from lunmapd.client.note import Note
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.history.changes import Revision
from lunmapd.store.commit.commit_options import (
    CommitOptions,
    CommitProgress,
    Precondition,
    commit_rules,
    ignore_progress,
)
from lunmapd.store.commit.draft import Signature
from lunmapd.store.commit.evidence import read_evidence
from lunmapd.store.commit.kept_rules import KeptRules
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.trim import trim_if_long

_log = logging.getLogger(__name__)

_Made = TypeVar("_Made", Revision, Revision | None)


class Committer:
    """Makes the commits of one client.

    `progress` and `keep` are as in `Client`. `committed` is called with each revision that is made.
    """

    def __init__(
        self,
        session: Session,
        progress: CommitProgress | None,
        keep: int,
        committed: Callable[[int], None],
    ) -> None:
        self.session = session
        self._progress = progress or ignore_progress
        self._keep = keep
        self._report = committed
        self._kept_rules = KeptRules()

    def options(self, note: Note) -> CommitOptions:
        """Return the options of a commit, signed now."""
        author = note.author or default_author()
        signature = Signature(author, note.message, datetime.now(UTC))
        return CommitOptions(
            signature,
            self._rules(note),
            note.expect,
            self._progress,
            frozenset(note.reuse_luns),
            frozenset(note.reuse_ids),
            frozenset(note.rebacking),
            committed=self._report,
        )

    def _rules(self, note: Note) -> Precondition:
        evidence = partial(read_evidence, self.session)
        return commit_rules(frozenset(note.shrink), frozenset(note.rebacking), evidence, self._kept_rules)

    def tidied(self, made: _Made) -> _Made:
        """Report a commit, and trim a long history; the commit counts as made even if this fails."""
        if made is not None:
            self._report(made.revision)
            try:
                trim_if_long(self.session, self._keep)
            except LunmapdError as error:
                _log.warning("the history was not trimmed: %s", error)
        return made
