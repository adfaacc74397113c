"""The ALUA states of Luns that nodes take over from one another, read and written beside the passes.

The state is that of lunmapd's own target port group of the storage object (lio/observe/alua.py). The kernel
establishes a unit attention for the initiators (core_alua_do_transition_tg_pt in
drivers/target/target_core_alua.c), and lets commands that it accepted before come to their end.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock, Timer

from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.floating.lease import ADOPTED
from lunmapd.lio.base import files
from lunmapd.lio.observe.alua import group_directory, read_state, write_state

_CORE = "core"
_AGAIN = 1.0  # seconds until Luns that could not be closed are tried again


class LunDirectories:
    """Finds the storage objects of Luns; where one was found is remembered as long as it is there."""

    def __init__(self, root: str) -> None:
        """Start with nothing known; `root` is the directory of LIO in configfs."""
        self._core = f"{root}/{_CORE}"
        self._known: dict[str, str] = {}

    def find(self, names: Iterable[str]) -> dict[str, str]:
        """Return the directory of each storage object that LIO has with lunmapd's target port group."""
        wanted = tuple(names)
        if not all(map(self._is_there, wanted)):
            self._known = dict(self._list())
        return {name: self._known[name] for name in wanted if self._is_there(name)}

    def _is_there(self, name: str) -> bool:
        path = self._known.get(name)
        return path is not None and files.is_directory(group_directory(path))

    def _list(self) -> Iterable[tuple[str, str]]:
        for hba in files.list_directories(self._core):
            for name in files.list_directories(f"{self._core}/{hba}"):
                path = f"{self._core}/{hba}/{name}"
                if files.is_directory(group_directory(path)):
                    yield name, path


def read_states(directories: LunDirectories, names: Iterable[str]) -> dict[str, str]:
    """Return the states of those Luns that LIO has: names of AluaState, or the number of another one."""
    found = ((name, read_state(path)) for name, path in directories.find(names).items())
    return {name: state for name, state in found if state}


def write_states(directories: LunDirectories, wanted: Mapping[str, AluaState]) -> None:
    """Give each of the Luns that LIO has its wanted state. Raises OSError once all were tried."""
    failed: OSError | None = None
    for name, path in directories.find(wanted).items():
        try:
            if read_state(path) != wanted[name]:
                write_state(path, wanted[name])
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed


class LunLease:
    """The Luns of one takeover group: optimized as long as the lease is extended, and closed at its end.

    It is closed here, too, if the daemon hangs or is stopped. Nothing closes it if this process is stopped.
    """

    def __init__(self, directories: LunDirectories, clock: Callable[[], float] = boot_time) -> None:
        """Start without a lease; `clock` returns CLOCK_BOOTTIME in seconds."""
        self._directories, self._clock = directories, clock
        self._lock = Lock()
        self._until: float | None = None
        self._closed: Mapping[str, AluaState] = {}
        self._is_new = True
        self._timer: Timer | None = None

    def adopt(self, closed: Mapping[str, AluaState]) -> None:
        """Give a short lease to Luns that an earlier process opened: the daemon extends it, or they close."""
        with self._lock:
            is_new, self._is_new = self._is_new, False
            if is_new and AluaState.OPTIMIZED in read_states(self._directories, closed).values():
                self._until, self._closed = self._clock() + ADOPTED, closed
                self._arm(ADOPTED)

    def open(self, closed: Mapping[str, AluaState], not_after: float, until: float) -> None:
        """Make the Luns optimized until a time, when they get the states `closed`.

        Raises OSError, as TimeoutError if it is later than `not_after`.
        """
        with self._lock:
            if self._clock() > not_after:
                raise TimeoutError("the request to open Luns came too late")
            self._is_new = False
            self._until, self._closed = until, closed
            self._arm(until - self._clock())
            write_states(self._directories, dict.fromkeys(closed, AluaState.OPTIMIZED))

    def close(self, closed: Mapping[str, AluaState]) -> None:
        """Give the Luns these states, and end the lease. Raises OSError."""
        with self._lock:
            self._until = None
            self._disarm()
            write_states(self._directories, closed)

    def _end(self) -> None:
        with self._lock:
            if self._until is None:
                return
            left = self._until - self._clock()
            if left > 0:
                self._arm(left)
                return
            try:
                write_states(self._directories, self._closed)
                self._until = None
            except OSError:
                self._arm(_AGAIN)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = Timer(max(0.0, seconds), self._end)
        self._timer.daemon = True
        self._timer.start()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class LunLeases:
    """The leases of all takeover groups, by the group's name."""

    def __init__(self, root: str) -> None:
        """Start without a lease; `root` is the directory of LIO in configfs."""
        self.directories = LunDirectories(root)
        self._leases: dict[str, LunLease] = {}
        self._lock = Lock()

    def of(self, group: str) -> LunLease:
        """Return the lease of a group."""
        with self._lock:
            return self._leases.setdefault(group, LunLease(self.directories))
