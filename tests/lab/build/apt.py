"""The host's own apt configuration, the only source of packages for the lab."""

from __future__ import annotations

import platform
import shutil
from typing import TYPE_CHECKING

from lab.errors import BuildFailed, CommandFailed, CommandTimeout, HostUnfit
from lab.result import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PASSED_ON = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::ForceIPv")
"""How to reach the archive is the host's to say (proxies, frozen archives); what to fetch isn't."""


def archive() -> str:
    """Return the address of the Debian archive that this host uses. Raises HostUnfit."""
    if not shutil.which("apt-get"):
        raise HostUnfit("the lab needs a Debian host: there is no apt-get here")
    codename = release()
    made_by = ("--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages")
    for line in run(["apt-get", "indextargets", *made_by]).stdout.splitlines():
        uri, *suite_and_component = line.split()
        if suite_and_component == [codename, "main"]:
            return uri
    raise HostUnfit(
        f"apt knows no archive of {codename}/main: check /etc/apt/sources.list*, run apt-get update"
    )


def release() -> str:
    """Return the code name of the host's Debian release, such as "trixie"; empty if it has none."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def settings() -> list[str]:
    """Return the host's settings of how to reach the archive, as lines of apt.conf."""
    dump = run(["apt-config", "dump"]).stdout.splitlines()
    return [line for line in dump if line.startswith(_PASSED_ON) and not line.endswith('"";')]


def extract(package: str, target: Path) -> None:
    """Unpack a package of the host's release into `target`, without installing it. Raises CommandFailed."""
    target.mkdir(parents=True, exist_ok=True)
    script = 'cd "$1"; apt-get -qq download "$2"; dpkg-deb -x ./*.deb .; rm ./*.deb'
    run(["sh", "-euc", script, "sh", str(target), package], timeout=600)


def bootstrap(target: Path, suite: str, packages: Sequence[str], options: Sequence[str]) -> None:
    """Make a tree of `suite` with `packages` in `target`, with mmdebstrap's log beside it.

    Raises BuildFailed.
    """
    if not shutil.which("mmdebstrap"):
        raise HostUnfit("mmdebstrap is missing: apt install mmdebstrap")
    reach = [f"--aptopt={line}" for line in settings()]
    include = f"--include={','.join(packages)}"
    log = target.with_name(target.name + ".log")
    # In namespaces of its own, an interrupted run leaves neither processes nor mounts.
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv = [
        *alone,
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        f"--logfile={log}",
        *reach,
        *options,
        include,
    ]
    try:
        run([*argv, suite, str(target), archive()], timeout=1800)
    except (CommandFailed, CommandTimeout) as err:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:]) if log.exists() else ""
        raise BuildFailed(f"mmdebstrap failed for {suite}; its whole log is in {log}\n{tail}") from err
    log.unlink()
