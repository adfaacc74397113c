"""What only the running daemon knows and its next pass depends on, in a file that `lunmapd plan` reads."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.state.process import Process, is_running
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_reads import ReadProblems
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.portals import PortalProblems
from lunmapd.core.planning.draining import DrainProgress
from lunmapd.core.planning.moving import ServedGroup
from lunmapd.files import read_regular, replace_file

DAEMON_FILE = "daemon.json"


class Deferral(Struct, frozen=True):
    """An object whose last step failed, and when it is tried again at the latest.

    A back-off may end, or an audit come.
    """

    key: lio_objects.Key
    failure: Failure
    due: float


class Emptied(Struct, frozen=True):
    """A LUN address with former occupants that is empty, and since when."""

    address: LunAddress
    since: float


class DaemonState(Struct, frozen=True):
    """What the daemon `process` will base its next pass on.

    Times are those of its monotonic clock, in seconds. `policy` are the settings that it uses, which may be
    older than the file. `has_map`: it can go on without ZooKeeper. `point` and `keys` are the map and the ids
    of the keys of the last pass: with others the back-off ends. `first` and `decided` are as in Confirmations
    (confirmations.py). `silent_since` is when contact with ZooKeeper was lost, None while there is contact;
    `met`: there has been contact since the daemon started. `portals` are the problems of portals,
    `unread` those of reading files and devices. `emptied` are the LUN addresses that are empty until another
    Lun may be created there. `drain` is the progress of a drain of the node. `served` are the floating groups
    that it owns.
    """

    process: Process
    policy: Policy
    has_map: bool = False
    point: HistoryPoint | None = None
    keys: tuple[str, ...] = ()
    first: int = 0
    decided: tuple[lio_objects.Key, ...] = ()
    silent_since: float | None = None
    met: bool = False
    deferrals: tuple[Deferral, ...] = ()
    portals: PortalProblems = {}
    unread: ReadProblems = {}
    emptied: tuple[Emptied, ...] = ()
    drain: DrainProgress | None = None
    served: tuple[ServedGroup, ...] = ()

    def due(self, point: HistoryPoint, keys: Iterable[str], now: float) -> Mapping[lio_objects.Key, Deferral]:
        """Return the objects that a pass by this map, with these keys, does not try yet."""
        if (point, tuple(keys)) != (self.point, self.keys):
            return {}
        return {entry.key: entry for entry in self.deferrals if now < entry.due}


class DaemonFile:
    """The state of the daemon in a file of `directory`, which must exist when it is written."""

    def __init__(self, directory: Path) -> None:
        """Prepare; nothing is read or written yet."""
        self._path = directory / DAEMON_FILE
        self._written: DaemonState | None = None

    def write(self, state: DaemonState) -> None:
        """Replace the state. If the disk refuses, the file is removed: no state rather than an old one."""
        if state == self._written:
            return
        try:
            replace_file(self._path, [encode(state)])
        except OSError:
            self._written = None
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._written = state

    def read(self, boot: str) -> DaemonState | None:
        """Return the state of the daemon that runs in this boot.

        None if none runs, or none has ended its first cycle.
        """
        try:
            state = decode(read_regular(self._path), DaemonState)
        except (OSError, DocumentError):
            return None
        return state if is_running(state.process, boot) else None
