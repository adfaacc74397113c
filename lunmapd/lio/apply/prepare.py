"""Preparing the kernel for rtslib: configfs, modules, and the directory of LIO's database."""

import subprocess
from pathlib import Path

from lunmapd.core.base.reasons import Reason
from lunmapd.lio.base import rts
from lunmapd.lio.base.refusal import KernelRefusedError, attempt
from lunmapd.lio.base.reservation_files import keep_synced

_CONFIGFS = Path("/sys/kernel/config")
_MODULES = ("target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod")
# The kernel requests these too at the first storage object; not every kernel has them.
_OPTIONAL_MODULES = ("target_core_pscsi", "target_core_user")
_TIMEOUT = 60.0  # seconds for mount and modprobe


def prepare_kernel() -> None:
    """Mount configfs, load LIO's modules and make the directories that rtslib expects.

    The modules are loaded in advance: the kernel would load them within a mkdir, while all other mkdirs in
    configfs wait. The database directory is made first, since LIO looks for it when it is loaded. Raises
    KernelRefusedError.
    """
    with attempt("prepare LIO"):
        rts.PREFERRED_DATABASE.mkdir(exist_ok=True)
    if not _CONFIGFS.is_mount():
        _run("mount", "-t", "configfs", "configfs", str(_CONFIGFS))
    for module in _MODULES:
        if not Path("/sys/module", module).exists():
            _run("modprobe", module)
    for module in _OPTIONAL_MODULES:
        subprocess.run(("modprobe", "-q", module), check=False, timeout=_TIMEOUT)
    with attempt("prepare LIO"):
        (rts.ROOT / "iscsi").mkdir(exist_ok=True)
        # Without it LIO answers "not ready" to a reservation that must survive a power loss. If another tool
        # loaded LIO first, LIO uses /var/target, which may not exist.
        directory = rts.reservation_directories()[0]
        directory.mkdir(parents=True, exist_ok=True)
        keep_synced(directory)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    if done.returncode:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"{' '.join(command)} failed: {done.stderr.strip()}")
