"""The UML kernel for this processor, and the driver that machines get."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from lab.build.apt import bootstrap
from lab.build.cache import build_once, cache_directory, progress
from lab.build.root import root
from lab.errors import HostUnfit, LabError
from lab.machines.driver import Driver
from lab.machines.qemu import qemu
from lab.machines.uml import Kernel, Uml

Trial = Callable[[Driver], str | None]
"""Boots a machine with the driver; returns None if that works, else why not."""


def driver(trial: Trial) -> Driver:
    """Return the driver named by LUNMAPD_LAB_DRIVER, else UML if it runs here, else QEMU.

    LUNMAPD_LAB_KERNEL names the UML kernel; by default it is the first one that boots here. Raises HostUnfit.
    """
    wanted = os.environ.get("LUNMAPD_LAB_DRIVER", "")
    if wanted not in {"", "uml", "qemu"}:
        raise HostUnfit(f"LUNMAPD_LAB_DRIVER={wanted}: there is no such driver (uml, qemu)")
    if wanted == "qemu":
        return qemu(root("qemu"))
    kernel = _named() or _chosen(trial)
    if kernel is not None:
        return Uml(root(), kernel)
    if wanted == "uml":
        raise HostUnfit("no User-Mode Linux kernel runs on this processor (see above)")
    return qemu(root("qemu"))


def _named() -> Kernel | None:
    """Return the kernel that LUNMAPD_LAB_KERNEL names, None without one. Raises HostUnfit."""
    name = os.environ.get("LUNMAPD_LAB_KERNEL", "")
    if name and name not in _CANDIDATES:
        names = ", ".join(_CANDIDATES)
        raise HostUnfit(f"LUNMAPD_LAB_KERNEL={name}: there is no such kernel ({names})")
    return _CANDIDATES[name]() if name else None


def _chosen(trial: Trial) -> Kernel | None:
    """Return the first kernel that boots here, or None; tried once for each processor and root."""
    note = cache_directory() / "kernels" / f"choice-{_processor()}-{root().name}"
    if not note.exists():
        choice = next((name for name, kernel in _CANDIDATES.items() if _runs(kernel(), trial)), "none")
        note.parent.mkdir(parents=True, exist_ok=True)
        # In one step: another lab may read it just then.
        new = note.with_name(f".{note.name}.{os.getpid()}")
        new.write_text(choice)
        new.rename(note)
    choice = note.read_text()
    return _CANDIDATES[choice]() if choice in _CANDIDATES else None


def _runs(kernel: Kernel, trial: Trial) -> bool:
    with progress(f"trying User-Mode Linux {kernel.version} on this processor"):
        reason = trial(Uml(root(), kernel))
    if reason is not None:
        print(f"lab: it does not run here: {reason}", file=sys.stderr)
    return reason is None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    what = [line for line in lines if re.match(r"(model name|flags|vendor_id)\b", line)]
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:12]


def _stable() -> Kernel:
    return _kernel(root())


def _newer() -> Kernel:
    # The development release's kernel runs where older ones trip over a large XSAVE area (AMX).
    return _kernel(
        build_once(cache_directory() / "kernels" / "newer", _unpack_newer, "the newer kernel (Debian sid)")
    )


def _unpack_newer(target: Path) -> None:
    bootstrap(target, "sid", ["user-mode-linux"], ["--variant=extract"])


def _kernel(tree: Path) -> Kernel:
    modules = tree / "usr/lib/uml/modules"
    versions = [path.name for path in modules.iterdir()]
    if len(versions) != 1:
        raise LabError(f"{modules} should hold one kernel's modules, not {versions}")
    return Kernel(versions[0], tree / "usr/bin", modules)


_CANDIDATES: dict[str, Callable[[], Kernel]] = {"stable": _stable, "newer": _newer}
