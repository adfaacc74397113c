"""The root file system that all machines of all labs share, read-only: Debian 13, built once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.apt import bootstrap
from lab.cache import build_once, cache_directory

_SUITE = "trixie"
_RECIPE = Path(__file__).with_name("recipe")
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
# The JRE's maintainer script wants this directory even where manual pages are left out.
_ESSENTIAL = 'mkdir -p "$1/usr/share/man/man1"'


def root(extra: str = "") -> Path:
    """Return the root for this recipe; build it if it isn't there (about a minute). Raises BuildFailed, HostUnfit.

    With `extra`, also the packages of recipe/packages.EXTRA are in it.
    """
    lists = ["packages", *([f"packages.{extra}"] if extra else [])]
    packages = [package for name in lists for package in _packages(name)]
    place = cache_directory() / "roots" / _digest(packages)
    return build_once(place, lambda target: _build(target, packages), "the machines' root (Debian 13)")


def _digest(packages: list[str]) -> str:
    recipe = [repr((_SUITE, _LEFT_OUT, _ESSENTIAL, packages)).encode(), (_RECIPE / "customize").read_bytes()]
    return hashlib.sha256(b"\0".join(recipe)).hexdigest()[:16]


def _packages(name: str) -> list[str]:
    lines = (_RECIPE / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _build(target: Path, packages: list[str]) -> None:
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    options += [
        "--variant=minbase",
        f"--essential-hook={_ESSENTIAL}",
        f"--customize-hook={_RECIPE / 'customize'}",
    ]
    bootstrap(target, _SUITE, packages, options)
