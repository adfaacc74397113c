"""The map at each revision, computed from the revisions alone.

Out-of-band edits are no revisions. The next commit takes them into its digest, recorded as a change or, if
they can't be decoded, as they are. So a state may hold the overwrites that were in the tree when it was
committed.
"""

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from chaos.history import Attempt, History, Outcome, Overwrite, Violation
from lunmapd.core.history.changes import Change, Revision, as_bytes
from lunmapd.core.history.digest import EMPTY_DIGEST, replace_document, show_digest

_MAX_OVERWRITES = 6  # all subsets of those at one time are tried


class Model:
    """The states from the empty map to the last revision, and the revisions that don't follow."""

    def __init__(self, history: History) -> None:
        """Replay the history."""
        self._overwrites = history.overwrites
        self._attempts = {attempt.token: attempt for attempt in history.attempts}
        self._began: dict[int, float] = {}
        self._past: dict[str, list[tuple[int, bytes | None]]] = {}
        self._taken_in: set[str] = set()
        self.digests: dict[int, int] = {0: EMPTY_DIGEST}
        self.state: dict[str, bytes] = {}
        self.violations: tuple[Violation, ...] = tuple(
            violation
            for revision in sorted(history.tree.revisions, key=lambda revision: revision.revision)
            for violation in self._follow(revision)
        )
        self.last = max(self.digests)

    def may_be(self, number: int, digest: str, at: float) -> bool:
        """Return whether a reader at this time could find this digest while head was at the revision."""
        standing = [
            overwrite
            for overwrite in self._overwrites
            if overwrite.began <= at and not self._is_over(overwrite, number)
        ]
        return digest in self._digests_with_some(self.digests[number], number, standing)

    def _follow(self, revision: Revision) -> Iterator[Violation]:
        number = revision.revision
        attempt = self._attempts.get(revision.message)
        self._began[number] = attempt.began if attempt is not None else -math.inf
        value = self.digests[max(self.digests)]
        for change in revision.changes:
            if as_bytes(change.before) != self.state.get(change.path) and change.path not in self._taken_in:
                yield self._broken(revision, change)
            value = self._set(number, value, change.path, as_bytes(change.after))
            self._taken_in.discard(change.path)
        self.digests[number] = value
        if show_digest(value) != revision.digest and not self._adopts(revision):
            what = (
                f"revision {number} says digest {revision.digest}, its changes lead to {show_digest(value)}"
            )
            yield Violation("each digest is that of the state", what, (number,))

    def _set(self, number: int, value: int, path: str, after: bytes | None) -> int:
        before = self.state.pop(path, None)
        if after is not None:
            self.state[path] = after
        self._past.setdefault(path, []).append((number, after))
        return replace_document(value, path, before, after)

    def _broken(self, revision: Revision, change: Change) -> Violation:
        return Violation(
            "each revision follows from the one before",
            f"revision {revision.revision} changes {change.path} from what it was not before",
            (revision.revision, *self._setters(change.path)),
        )

    def _setters(self, path: str) -> list[int]:
        return [number for number, _ in self._past.get(path, [])[-1:]]

    def _adopts(self, revision: Revision) -> bool:
        """Find the smears that this revision took in as they are, and let them be part of the state."""
        number = revision.revision
        standing = [
            overwrite
            for overwrite in self._overwrites
            if overwrite.began <= _ended(self._attempts.get(revision.message))
            and not self._is_over(overwrite, number)
        ]
        for chosen in _subsets(standing):
            if show_digest(self._digest_with(self.digests[number], number, chosen)) == revision.digest:
                for overwrite in chosen:
                    self.digests[number] = self._set(
                        number, self.digests[number], overwrite.path, overwrite.data
                    )
                    self._taken_in.add(overwrite.path)
                return True
        return False

    def _digests_with_some(self, value: int, number: int, overwrites: Sequence[Overwrite]) -> set[str]:
        return {
            show_digest(self._digest_with(value, number, chosen)) for chosen in ((), *_subsets(overwrites))
        }

    def _digest_with(self, value: int, number: int, chosen: Iterable[Overwrite]) -> int:
        for overwrite in chosen:
            value = replace_document(value, overwrite.path, self.at(number, overwrite.path), overwrite.data)
        return value

    def at(self, number: int, path: str) -> bytes | None:
        """Return an object's document at a revision, None if there was none."""
        past = self._past.get(path, [])
        index = bisect_right(past, number, key=lambda entry: entry[0])
        return past[index - 1][1] if index else None

    def _is_over(self, overwrite: Overwrite, number: int) -> bool:
        """Return whether a revision up to `number`, tried after it, has replaced or recorded it."""
        setters = (setter for setter, _ in self._past.get(overwrite.path, []))
        return any(setter <= number and self._began[setter] > overwrite.ended for setter in setters)


def _ended(attempt: Attempt | None) -> float:
    """Return until when the attempt may have read the tree."""
    return math.inf if attempt is None or attempt.outcome is Outcome.UNKNOWN else attempt.ended


def _subsets(overwrites: Sequence[Overwrite]) -> Iterator[tuple[Overwrite, ...]]:
    """Yield every choice of smears, at most one of each path."""
    newest = overwrites[-_MAX_OVERWRITES:]
    for size in range(1, len(newest) + 1):
        for chosen in itertools.combinations(newest, size):
            if len({overwrite.path for overwrite in chosen}) == size:
                yield chosen
