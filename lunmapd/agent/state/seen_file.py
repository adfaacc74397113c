"""What a restart of the daemon must know of the last look at LIO, to tell drift from what it never did: a small file."""

from pathlib import Path

from msgspec import Struct

from lunmapd import __version__
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.reasons import OF_BACKINGS
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.planning.drift import Known
from lunmapd.files import replace_file

SEEN_FILE = "seen.json"


class SeenFileUnwritableError(LunmapdError):
    """What was seen can't be kept."""


class ValidityKey(Struct, frozen=True):
    """By what the node went: the same map wants the same objects only of the same node, program and keys, and a boot empties the kernel."""

    at: HistoryPoint
    node: str
    boot: str
    keys: tuple[str, ...]
    version: str = __version__


class SeenState(Struct, frozen=True):
    """The terms of the last look, and the objects that were not seen as they are wanted, as in drift.Known.

    `refused` names what of the map could not even be wanted, such as a target that another tool has made.
    """

    terms: ValidityKey
    open: tuple[lio_objects.Key, ...] = ()
    refused: tuple[lio_objects.Key, ...] = ()


def refused_keys(want: Desired) -> frozenset[lio_objects.Key]:
    """Return what of the map can't even be wanted."""
    return frozenset(name for name, failure in want.failures.items() if failure.reason not in OF_BACKINGS)


def baseline_from(past: SeenState, want: Desired) -> Known | None:
    """Return what is known of the last look, None when the map could be carried out in another measure then."""
    return (
        Known(want.objects, frozenset(past.open)) if frozenset(past.refused) == refused_keys(want) else None
    )


class SeenFile:
    """The past in a file of `directory`."""

    def __init__(self, directory: Path) -> None:
        """Read what is there; a missing or damaged file tells nothing, and then nothing counts as drift."""
        self._path = directory / SEEN_FILE
        self._past = self._read()
        self.trouble: SeenFileUnwritableError | None = None

    @property
    def past(self) -> SeenState | None:
        """What is kept, None if nothing is."""
        return self._past

    def recall(self, terms: ValidityKey) -> SeenState | None:
        """Return the past if it went by the same terms."""
        return self._past if self._past is not None and self._past.terms == terms else None

    @property
    def cluster(self) -> str:
        """The cluster whose map was last seen in LIO, "" when that is not known."""
        return "" if self._past is None else self._past.terms.at.cluster

    def keep(self, past: SeenState) -> None:
        """Replace what is kept.

        Does not raise: to reconcile matters more. An error of the disk is in `trouble` until the next success, and
        then the file is removed rather than left with what is no longer so.
        """
        if past == self._past:
            return
        self.trouble = None
        try:
            replace_file(self._path, (encode(past),))
        except OSError as error:
            self._forget()
            self.trouble = SeenFileUnwritableError(
                f"can't write {self._path}: {error}; after a restart, what was changed by hand meanwhile is not told from the rest"
            )
        else:
            self._past = past

    def _read(self) -> SeenState | None:
        try:
            return decode(self._path.read_bytes(), SeenState)
        except (OSError, DocumentError):
            return None

    def _forget(self) -> None:
        self._past = None
        try:
            self._path.unlink(missing_ok=True)
        except OSError:
            return
