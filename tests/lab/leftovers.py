"""State directories of labs: made, found by name, and removed when their owner has ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_OWNER = "owner.json"


@dataclass(frozen=True)
class Life:
    """A process that can't be mistaken for a later one of the same PID."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Life:
        """Return the life of the process that has `pid` now ("" as its start if there is none)."""
        return cls(pid, _start_time(pid))

    @classmethod
    def here(cls) -> Life:
        """Return the life of this process."""
        return cls.of(os.getpid())

    def alive(self) -> bool:
        """Return whether it still runs."""
        return bool(self.started) and _start_time(self.pid) == self.started


@dataclass(frozen=True)
class Record:
    """The record in a lab's state directory: owner, first process, and connections to the machines."""

    name: str
    owner: Life
    holder: Life
    kept: bool
    shells: dict[str, list[str]]

    def write(self, state: Path) -> None:
        """Put the record into the lab's state directory, replacing an older one in one step."""
        new = state / f"{_OWNER}.new"
        new.write_text(json.dumps(asdict(self)))
        new.rename(state / _OWNER)

    @classmethod
    def read(cls, state: Path) -> Record | None:
        """Read the record of a state directory; None while it is only being made."""
        try:
            fields: dict[str, Any] = json.loads((state / _OWNER).read_text())
        except FileNotFoundError:
            return None
        owner, holder = Life(**fields.pop("owner")), Life(**fields.pop("holder"))
        return cls(owner=owner, holder=holder, **fields)


def states() -> Path:
    """Return the directory of all labs' state directories: in memory where the host has that."""
    memory = Path("/dev/shm")  # noqa: S108 - directories in it are made for root only
    base = memory if memory.is_dir() else Path("/var/tmp")  # noqa: S108
    path = Path(os.environ.get("LUNMAPD_LAB_STATE", base / "lunmapd-lab"))
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def labs() -> Iterator[tuple[Path, Record]]:
    """Yield the state directory and the record of every lab on this host, alive or dead."""
    for state in sorted(states().iterdir()):
        record = Record.read(state)
        if record is not None:
            yield state, record


def reap(name: str = "", *, everything: bool = False) -> list[str]:
    """Remove what labs with dead owners have left; return their names.

    A lab that was kept running is ended only by its `name`, or with `everything` (which ends every lab).
    """
    reaped = []
    for state, record in labs():
        wanted = record.owner.alive() or (record.kept and record.holder.alive())
        if everything or record.name == name or not wanted:
            end(state, record)
            reaped.append(record.name)
    return reaped


def end(state: Path, record: Record) -> None:
    """Kill a lab's processes and remove its state directory."""
    if record.holder.alive():
        with suppress(ProcessLookupError):  # it may end by itself, or by another reaper
            os.kill(record.holder.pid, signal.SIGKILL)
    shutil.rmtree(state, ignore_errors=True)


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
