"""The seen file: what was last observed as desired, by which a restart recognises drift and isolation."""

from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from lunmapd import __version__
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.reasons import OF_BACKINGS
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.enablement import Offered
from lunmapd.files import read_regular, replace_file

SEEN_FILE = "seen.json"


class SeenFileUnwritableError(LunmapdError):
    """The seen file can't be written."""


class ValidityKey(Struct, frozen=True):
    """Validity of a seen file: point of the history, node, boot id, key ids and version of lunmapd.

    With the same values the map asks for the same objects. A boot invalidates the file, because configfs is
    then empty.
    """

    at: HistoryPoint
    node: str
    boot: str
    keys: tuple[str, ...]
    version: str = __version__


class SeenState(Struct, frozen=True):
    """The content of the seen file.

    `terms` are what it is valid for. `open` are the keys of the objects that were not observed as desired, as
    in DriftBaseline. `refused` are the keys of what the map asks for and the node can't have, such as a
    foreign target. `offered` are the Enabled objects that the map asks for.
    """

    terms: ValidityKey
    open: tuple[lio_objects.Key, ...] = ()
    refused: tuple[lio_objects.Key, ...] = ()
    offered: tuple[lio_objects.Enabled, ...] = ()


def refused_keys(want: Desired) -> frozenset[lio_objects.Key]:
    """Return the keys of what the map asks for and the node can't have, except for missing backings."""
    return frozenset(name for name, failure in want.failures.items() if failure.reason not in OF_BACKINGS)


def baseline_from(state: SeenState, want: Desired) -> DriftBaseline | None:
    """Return the drift baseline of the seen file.

    None if a different part of the map was applicable at that time, for instance because other targets were
    foreign.
    """
    return (
        DriftBaseline(want.objects, frozenset(state.open))
        if frozenset(state.refused) == refused_keys(want)
        else None
    )


class SeenFile:
    """The seen file in `directory`."""

    def __init__(self, directory: Path) -> None:
        """Read the file. A missing or damaged one counts as empty: then nothing counts as drift."""
        self._path = directory / SEEN_FILE
        self._state = self._read()
        self.problem: SeenFileUnwritableError | None = None

    @property
    def content(self) -> SeenState | None:
        """The content, None if there is none."""
        return self._state

    def load(self, valid_for: ValidityKey) -> SeenState | None:
        """Return the content if it is valid, else None."""
        return self._state if self._state is not None and self._state.terms == valid_for else None

    def of_boot(self, node: str, boot: str) -> SeenState | None:
        """Return the content if it is of this node and this boot, of any map; else None."""
        state = self._state
        return state if state is not None and (state.terms.node, state.terms.boot) == (node, boot) else None

    def offered(self, node: str, boot: str) -> Offered:
        """Return the Enabled objects of the map last followed in this boot, none if that is not known."""
        state = self.of_boot(node, boot)
        return {} if state is None else {lio_objects.key_of(item): item for item in state.offered}

    @property
    def cluster(self) -> str:
        """The cluster whose map was last observed in LIO, "" when that is not known."""
        return "" if self._state is None else self._state.terms.at.cluster

    def save(self, state: SeenState) -> None:
        """Replace the content.

        Does not raise, because reconciling matters more: an error of the disk is in `problem` until a write
        succeeds, and the file is removed, since its content is no longer true.
        """
        if state == self._state:
            return
        self.problem = None
        try:
            replace_file(self._path, (encode(state),))
        except OSError as error:
            self._forget()
            self.problem = SeenFileUnwritableError(
                f"can't write {self._path}: {error}; after a restart, drift can't be distinguished from "
                "unfinished work"
            )
        else:
            self._state = state

    def _read(self) -> SeenState | None:
        try:
            return decode(read_regular(self._path), SeenState)
        except (OSError, DocumentError):
            return None

    def _forget(self) -> None:
        self._state = None
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
