"""Parts that a lab builds once and keeps: directories, locks, progress, and removal of unused ones."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNUSED_DAYS = 14


def cache_directory() -> Path:
    """Return the directory of built parts, from LUNMAPD_LAB_CACHE or the default, made if need be."""
    path = Path(os.environ.get("LUNMAPD_LAB_CACHE", "/var/cache/lunmapd-lab"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def progress(step: str) -> Iterator[None]:
    """Print on stderr that a long step has begun, and how long it took."""
    start = time.monotonic()
    print(f"lab: {step} ...", file=sys.stderr, flush=True)
    yield
    print(f"lab: {step}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


@contextmanager
def locked(path: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock on the file `path` (made if need be)."""
    with path.open("a") as file:
        fcntl.flock(file, operation)
        yield


def in_use_file(built: Path) -> Path:
    """Return the file on which every user of a built part holds a shared lock."""
    return built.with_name(built.name + ".lock")


def _building_file(built: Path) -> Path:
    return built.with_name(f".{built.name}.building")


def build_once(built: Path, build: Callable[[Path], None], what: str) -> Path:
    """Return `built`; if it isn't there, have `build` fill a temporary directory and rename that to it."""
    built.parent.mkdir(parents=True, exist_ok=True)
    if not built.exists():
        with locked(_building_file(built)):
            if not built.exists():
                _build(built, build, what)
    in_use_file(built).touch()
    return built


def _build(built: Path, build: Callable[[Path], None], what: str) -> None:
    temporary = built.with_name(f".{built.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with progress(f"building {what}"):
            build(temporary)
        temporary.rename(built)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    discard_unused(built.parent, keep=built)


def discard_unused(directory: Path, keep: Path) -> None:
    """Remove built parts beside `keep` that no lab runs on and none has used for two weeks."""
    oldest = time.time() - _UNUSED_DAYS * 86400
    for lock in directory.glob("*.lock"):
        built = lock.with_suffix("")
        if built != keep and lock.stat().st_mtime < oldest:
            _discard(built, lock)


def _discard(built: Path, lock: Path) -> None:
    try:
        with locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(built, ignore_errors=True)
            _building_file(built).unlink(missing_ok=True)
            lock.unlink()
    except BlockingIOError:
        return
