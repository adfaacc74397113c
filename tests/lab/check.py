"""Whether this host can run the lab, and if not, what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from lab.build.apt import archive
from lab.errors import LabError

HOST_PACKAGES = ("mmdebstrap", "iproute2", "debian-archive-keyring", "util-linux")
_PROGRAMS = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux"}
_KEY = Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg")


def unfit() -> list[str]:
    """Return what keeps this host from running the lab, each with its remedy; empty if nothing does."""
    if platform.machine() != "x86_64":
        return [f"the lab's kernels are for x86_64, this machine is {platform.machine()}"]
    reasons = _missing_packages()
    if os.geteuid() != 0:
        return [*reasons, "namespaces and mounts need root: run it with sudo"]
    if not Path("/dev/net/tun").exists():
        reasons.append("no /dev/net/tun: modprobe tun (in a container: pass the device in)")
    return [*reasons, *_no_namespaces(), *_no_archive()]


def _missing_packages() -> list[str]:
    missing = {package for program, package in _PROGRAMS.items() if not shutil.which(program)}
    if not _KEY.exists():
        missing.add("debian-archive-keyring")
    return [f"packages are missing: apt install {' '.join(sorted(missing))}"] if missing else []


def _no_namespaces() -> list[str]:
    trial = ["unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    return [f"no namespaces or mounts (an unprivileged container? run it privileged): {done.stderr.strip()}"]


def _no_archive() -> list[str]:
    try:
        archive()
    except LabError as err:
        return [str(err)]
    return []
