"""The memory of the daemon and its worker, with the installation and environment of its unit."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.guest.clean import clean
from bench.guest.shape import Shape, make_files

_UNIT = Path("/usr/lib/systemd/system/lunmapd.service")
_SOCKET = "/run/bench-notify"
_PATIENCE = 600.0  # seconds for one turn
_WORKER = "lunmapd.lio.worker.worker"
_SAMPLES = 60
_TRIES = 5
_EVERY = 1.0  # seconds between two samples
_BUSY = 0.05  # seconds of processor time of both processes


def measure(luns: int, initiators: int, rounds: int) -> dict[str, float]:
    """Return the highest memory use at rest, in MB: after making everything, and after each full pass.

    A full pass reads the whole map and the whole kernel. `shared` counts pages that both processes have once
    (PSS). `others` are other child processes, such as the reader of backings.
    """
    make_files(Shape(luns, initiators))
    clean()
    with _manager() as manager, _daemon() as daemon:
        _await(manager, 1)
        found = [_at_rest(daemon.pid)]
        for _ in range(rounds):
            daemon.send_signal(signal.SIGHUP)
            _await(manager, 2)  # that the settings were read, then that the turn is over
            found.append(_at_rest(daemon.pid))
    return max(found, key=lambda one: one["rss"])


@contextmanager
def _manager() -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        Path(_SOCKET).unlink(missing_ok=True)
        listening.bind(_SOCKET)
        listening.settimeout(_PATIENCE)
        yield listening


@contextmanager
def _daemon() -> Iterator["subprocess.Popen[bytes]"]:
    given = re.findall(r"^Environment=(.*)$", _UNIT.read_text(), re.MULTILINE)
    unit = dict(word.split("=", 1) for line in given for word in line.split())
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NOTIFY_SOCKET": _SOCKET, **unit}
    with subprocess.Popen(["lunmapd"], env=environment, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _await(manager: socket.socket, times: int) -> None:
    """Wait until the daemon has reported READY that many times; it must have applied the map."""
    while times:
        message = manager.recv(4096)
        if message.startswith(b"READY=1"):
            times -= 1
            assert re.search(rb"applied revision \d+, 0 failing$", message), message


def _at_rest(pid: int) -> dict[str, float]:
    """Return the lowest of some samples: after a turn the daemon reports backings, which takes memory too."""
    found = [_memory(pid)]
    while len(found) < _SAMPLES and (len(found) < 2 or found[-1]["cpu"] - found[-2]["cpu"] > _BUSY):
        time.sleep(_EVERY)
        found.append(_memory(pid))
    return min(found, key=lambda one: one["rss"])


def _memory(pid: int) -> dict[str, float]:
    """Return one sample; it is taken again if a thread or a process ends meanwhile."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError, ProcessLookupError):
            return _sample(pid)
    return _sample(pid)


def _sample(pid: int) -> dict[str, float]:
    family = list(_family(pid))
    (worker,) = (child for child in family if _WORKER in Path(f"/proc/{child}/cmdline").read_text())
    (daemon, daemon_share), (own, share) = map(_megabytes, (pid, worker))
    others = sum(_megabytes(child)[0] for child in family if child not in {pid, worker})
    cpu = sum(map(_seconds, (pid, worker)))
    return {
        "rss": daemon + own,
        "shared": daemon_share + share,
        "daemon": daemon,
        "others": others,
        "cpu": cpu,
    }


def _seconds(pid: int) -> float:
    """Return the processor time that a process has used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _megabytes(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, and its share of it."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}: *(\d+) kB", text, re.MULTILINE) for name in ("Rss", "Pss"))
    assert rss
    assert pss
    return int(rss[1]) / 1024, int(pss[1]) / 1024
