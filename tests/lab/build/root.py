"""Root file systems of Debian 13, each built once.

They are the machines' shared read-only root, the package's workshop, and the root of the Vagrant box.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.build.apt import bootstrap
from lab.build.cache import build_once, cache_directory

_SUITE = "trixie"
_RECIPE = Path(__file__).with_name("recipe")
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
# The JRE's maintainer script wants this directory even where manual pages are left out.
_ESSENTIAL = 'mkdir -p "$1/usr/share/man/man1"'


def root(extra: str = "") -> Path:
    """Return the root for this recipe, built if it is missing. Raises BuildFailed, HostUnfit.

    With `extra`, also the packages of recipe/packages.EXTRA are in it.
    """
    lists = ["packages", *([f"packages.{extra}"] if extra else [])]
    return _root(lists, _RECIPE / "customize", "the machines' root (Debian 13)")


def workshop() -> Path:
    """Return the root in which the Debian package is built, with recipe/packages.build, as `root` does."""
    return _root(["packages.build"], _RECIPE / "customize.build", "the package's workshop (Debian 13)")


def box() -> Path:
    """Return the root of the Vagrant box, with recipe/packages and packages.box, as `root` does."""
    return _root(
        ["packages", "packages.box"], _RECIPE / "customize.box", "the Vagrant box's root (Debian 13)"
    )


def testbed() -> Path:
    """Return the root of Debian's Python packages for tests (recipe/packages.tests), as `root` does."""
    return _root(["packages.tests"], None, "the tests' root (Debian 13)")


def _root(lists: list[str], finish: Path | None, what: str) -> Path:
    packages = [package for name in lists for package in _packages(name)]
    place = cache_directory() / "roots" / _digest(packages, finish)
    return build_once(place, lambda target: _build(target, packages, finish), what)


def _digest(packages: list[str], finish: Path | None) -> str:
    recipe = [repr((_SUITE, _LEFT_OUT, _ESSENTIAL, packages)).encode()]
    recipe += [finish.read_bytes()] if finish else []
    return hashlib.sha256(b"\0".join(recipe)).hexdigest()[:16]


def _packages(name: str) -> list[str]:
    lines = (_RECIPE / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _build(target: Path, packages: list[str], finish: Path | None) -> None:
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    options += ["--variant=minbase", f"--essential-hook={_ESSENTIAL}"]
    options += [f"--customize-hook={finish}"] if finish else []
    bootstrap(target, _SUITE, packages, options)
