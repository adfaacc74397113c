"""The first process of a lab's namespaces; everything else in the lab ends with it.

Started as a script by `unshare --mount --net --pid --fork`, so it is process 1 of its own PID namespace and
may not import the rest of the package. It lays out the lab's file system, prints `ready PID` (its PID as the
host sees it) on stdout, and waits on stdin. End of file there (its owner is gone) ends the lab, unless the
owner has sent `keep` before.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def mount(*args: str) -> None:
    """Mount in this mount namespace only (`unshare` has made it private)."""
    subprocess.run(["mount", *args], check=True)


def bind(source: str, target: Path, *, writable: bool) -> None:
    """Show the directory `source` at `target`."""
    mount("--bind", source, str(target))
    if not writable:
        mount("-o", "remount,bind,ro", str(target))


def lay_out(root: Path, binds: list[list[str]], memory: str) -> None:
    """Build the lab's root: the shared root, kernel interfaces, and the boot files below /lab."""
    bind(str(root), root, writable=False)
    mount("--rbind", "/dev", str(root / "dev"))
    for directory in ("dev/shm", "run", "tmp", "lab"):
        mount("-t", "tmpfs", "-o", f"mode=755,size={memory}", "tmpfs", str(root / directory))
    mount("-t", "proc", "proc", str(root / "proc"))
    mount("-t", "sysfs", "-o", "ro", "sysfs", str(root / "sys"))
    for source, target, mode in binds:
        place = root / target.lstrip("/")
        place.mkdir(exist_ok=True)
        bind(source, place, writable=mode == "rw")
    (root / "lab/mnt").mkdir()


def hold() -> None:
    """Wait until the owner ends, for ever if it has sent `keep`."""
    for line in sys.stdin:
        if line.strip() == "keep":
            while True:
                signal.pause()


def main() -> None:
    """Hold the namespaces described by the JSON in the first argument."""
    config = json.loads(sys.argv[1])
    host_pid = Path("/proc/self").readlink().name
    for path in config["in_use"]:
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_SH)
    root = Path(config["root"])
    lay_out(root, config["binds"], config["memory"])
    os.chroot(root)
    os.chdir("/")
    # As process 1 it inherits every orphan of the lab; ignoring SIGCHLD has the kernel reap them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.stdout.write(f"ready {host_pid}\n")
    sys.stdout.flush()
    hold()


if __name__ == "__main__":
    main()
