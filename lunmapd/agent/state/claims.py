"""Claims: the names of the targets that this node is about to make, written to disk before it makes them.

A target has lunmapd's mark only once its TPG has a TargetAlias. A crash before that leaves a bare directory
with a name that any tool could have given. The claim shows that it is lunmapd's.
"""

import json
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.reasons import Reason
from lunmapd.files import replace_file


class ClaimsUnreadableError(ConditionError, reason=Reason.CLAIMS_UNREADABLE):
    """The claims can't be read, so half-made targets of lunmapd can't be distinguished from foreign ones."""


class ClaimsUnwritableError(ConditionError, reason=Reason.CLAIMS_UNWRITABLE):
    """The claims can't be written, so no new target may be made."""


class Claims:
    """A set of target names in a file, which is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        """Use the file `path`, whose directory exists."""
        self._path = path

    def read(self) -> frozenset[str]:
        """Return the claims.

        A missing or damaged file has none, which is safe: then nothing is taken for lunmapd's.

        Raises ClaimsUnreadableError.
        """
        try:
            names = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return frozenset()
        except OSError as error:
            raise ClaimsUnreadableError(
                f"can't read {self._path}: {error}; LIO is left as it is: repair the disk, or the file's "
                "owner and mode"
            ) from error
        return (
            frozenset(name for name in names if isinstance(name, str))
            if isinstance(names, list)
            else frozenset()
        )

    def write(self, names: AbstractSet[str]) -> None:
        """Replace the claims durably. Raises ClaimsUnwritableError, ClaimsUnreadableError."""
        if names == self.read():
            return
        try:
            replace_file(self._path, (json.dumps(sorted(names)).encode(),))
        except OSError as error:
            raise ClaimsUnwritableError(
                f"can't write {self._path}: {error}; nothing was changed in LIO"
            ) from error
