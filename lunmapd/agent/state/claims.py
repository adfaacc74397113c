"""The target names that this node is about to make, kept on disk before the first of them is made.

A target carries our mark only once its TPG has a TargetAlias. A crash in between leaves a bare directory with a
name that any tool could have given; a claim, written before, tells that it is ours.
"""

import json
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.reasons import Reason
from lunmapd.files import replace_file


class ClaimsUnreadableError(ConditionError, reason=Reason.CLAIMS_UNREADABLE):
    """The disk doesn't say which names are claimed, so nobody knows what is ours."""


class ClaimsUnwritableError(ConditionError, reason=Reason.CLAIMS_UNWRITABLE):
    """The claims can't be kept, so nothing new may be made."""


class Claims:
    """A small set of target names in a file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        """Keep the claims in `path`; its directory must exist."""
        self._path = path

    def read(self) -> frozenset[str]:
        """Return the claims; a missing or damaged file claims nothing, which is the safe side. Raises ClaimsUnreadableError."""
        try:
            names = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return frozenset()
        except OSError as error:
            raise ClaimsUnreadableError(
                f"can't read {self._path}: {error}; LIO is left as it is: mend the disk, or the file's owner and mode"
            ) from error
        return (
            frozenset(name for name in names if isinstance(name, str))
            if isinstance(names, list)
            else frozenset()
        )

    def write(self, names: AbstractSet[str]) -> None:
        """Replace the claims on disk, surviving a power cut. Raises ClaimsUnwritableError, ClaimsUnreadableError."""
        if names == self.read():
            return
        try:
            replace_file(self._path, (json.dumps(sorted(names)).encode(),))
        except OSError as error:
            raise ClaimsUnwritableError(
                f"can't write {self._path}: {error}; nothing was changed in LIO"
            ) from error
