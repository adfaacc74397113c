"""Other versions of ZooKeeper than the root's own: the jars that an ensemble of the lab may run instead.

LUNMAPD_LAB_ZOOKEEPER chooses one: `bookworm` is Debian 12's (3.8.0), `pyspark` the newest one that a package
on PyPI ships (3.9.5). Without it an ensemble runs Debian 13's (3.9.3).
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab.build.apt import bootstrap
from lab.build.cache import build_once, cache_directory
from lab.errors import BuildFailed, CommandFailed, CommandTimeout, HostUnfit
from lab.result import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

INSIDE = "/lab/zookeeper"
JARS = (
    "zookeeper.jar",
    "zookeeper-jute.jar",
    "netty-buffer.jar",
    "netty-codec.jar",
    "netty-common.jar",
    "netty-handler.jar",
    "netty-resolver.jar",
    "netty-transport.jar",
    "slf4j-api.jar",
    "slf4j-simple.jar",
    "metrics-core.jar",
    "snappy-java.jar",
    "commons-io.jar",
)
"""What a server needs, by the names in Debian's /usr/share/java."""
_PYSPARK = "pyspark==4.3.0"
_PARTS = ("zookeeper", "netty-", "slf4j-api", "metrics-core", "snappy-java", "commons-io")


def jars() -> Path | None:
    """Return the directory with the jars of the chosen version, built if it is missing.

    None stands for the root's own. Raises BuildFailed, HostUnfit.
    """
    name = os.environ.get("LUNMAPD_LAB_ZOOKEEPER", "")
    if not name:
        return None
    if name not in _BUILDS:
        raise HostUnfit(f"LUNMAPD_LAB_ZOOKEEPER is {name!r}, not one of {', '.join(_BUILDS)}")
    return build_once(cache_directory() / "zookeeper" / name, _BUILDS[name], f"ZooKeeper of {name}")


def class_path(chosen: Path | None) -> str:
    """Return the class path of the jars inside the lab; None stands for the root's own.

    Debian's zookeeper.jar names further jars in /usr/share/java, which is the root's: it comes last.
    """
    if chosen is None:
        return ":".join(f"/usr/share/java/{name}" for name in JARS)
    names = sorted(path.name for path in chosen.iterdir())
    return ":".join(f"{INSIDE}/{name}" for name in sorted(names, key=_is_main))


def _is_main(name: str) -> bool:
    return name.startswith("zookeeper") and not name.startswith("zookeeper-jute")


def _from_bookworm(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        root = Path(place) / "root"
        bootstrap(root, "bookworm", ["libzookeeper-java", "libslf4j-java"], ["--variant=extract"])
        target.mkdir()
        for name in JARS:
            if (found := root / "usr/share/java" / name).exists():
                shutil.copy(found, target)


def _from_pyspark(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        argv = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        argv += ["--no-binary=:all:", "--no-build-isolation", f"--dest={place}", _PYSPARK]
        try:
            run(argv, timeout=1800)
        except (CommandFailed, CommandTimeout) as err:
            raise BuildFailed(f"pip can't download {_PYSPARK}: {err}") from err
        target.mkdir()
        with tarfile.open(next(Path(place).glob("*.tar.gz"))) as archive:
            for member in archive:
                path = Path(member.name)
                if path.parent.name == "jars" and path.name.startswith(_PARTS):
                    member.name = path.name
                    archive.extract(member, target, filter="data")


_BUILDS: Mapping[str, Callable[[Path], None]] = {"bookworm": _from_bookworm, "pyspark": _from_pyspark}
