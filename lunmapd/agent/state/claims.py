"""Claims: the names of the targets that this node is about to make, written to disk before it makes them.

A target has lunmapd's mark only once its TPG has a TargetAlias. A crash before that leaves a bare directory
with a name that any tool could have given. The claim shows that it is lunmapd's.
"""

import logging
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.files import read_regular, replace_file

CLAIMS_FILE = "claims.json"
_REMEDY = "until it can, no new target is made, and all else goes on: free or repair the disk"

_log = logging.getLogger(__name__)


class ClaimsUnreadableError(ConditionError, reason=Reason.CLAIMS_UNREADABLE):
    """The claims can't be read, so half-made targets of lunmapd can't be distinguished from foreign ones."""


class ClaimsUnwritableError(ConditionError, reason=Reason.CLAIMS_UNWRITABLE):
    """The claims can't be written, so no new target may be made."""


class Claims:
    """A set of target names in a file of `directory`, which is replaced as a whole.

    Removing access matters more than the file: no method raises. `problem` is why the file does not hold the
    claims that were given to `save`, or can't be read; None if neither is so.
    """

    def __init__(self, directory: Path) -> None:
        """Prepare; nothing is read or written yet."""
        self._path = directory / CLAIMS_FILE
        self._names = frozenset[str]()
        self.recorded = frozenset[str]()
        self.problem: ClaimsUnreadableError | ClaimsUnwritableError | None = None

    def load(self) -> frozenset[str]:
        """Return the claims, and set `recorded` to those that the file holds.

        If the file can't be used, the claims are those that this process read or wrote last. At its start
        there are none, which is safe: then nothing is taken for lunmapd's.
        """
        try:
            self._names = self.recorded = frozenset(self._read())
            self.problem = None
        except (OSError, DocumentError) as error:
            self.recorded = frozenset()
            self._note_unreadable(error)
        return self._names

    def save(self, names: AbstractSet[str]) -> bool:
        """Replace the claims durably, and any file that can't be used; return whether the file holds them."""
        if names == self.recorded and self.problem is None:
            return True
        try:
            replace_file(self._path, (encode(sorted(names)),))
        except OSError as error:
            self._note_unwritable(error)
            return False
        self._names = self.recorded = frozenset(names)
        self.problem = None
        return True

    def _read(self) -> list[str]:
        try:
            return decode(read_regular(self._path), list[str])
        except FileNotFoundError:
            return []

    def _note_unreadable(self, error: Exception) -> None:
        problem = ClaimsUnreadableError(f"can't use {self._path}: {error}; {_REMEDY}, or remove the file")
        if str(problem) != str(self.problem):
            _log.warning("%s", problem, extra=journal_fields(Message.CLAIMS_DAMAGED))
        self.problem = problem

    def _note_unwritable(self, error: OSError) -> None:
        if not isinstance(self.problem, ClaimsUnreadableError):
            self.problem = ClaimsUnwritableError(f"can't write {self._path}: {error}; {_REMEDY}")
