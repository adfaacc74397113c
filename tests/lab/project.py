"""The project, installed from a working tree into a layer that machines see over the shared root."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cache import build_once, cache_directory
from lab.errors import BuildFailed, CommandFailed
from lab.result import run

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "lunmapd", "packaging", "config")
# Debian's Python installs where a package of Debian would when asked for this layout.
_INSTALL = """
set -eu
cd /lab/build/source
python3 -c 'import hatchling.build; hatchling.build.build_wheel("/lab/build")'
DEB_PYTHON_INSTALL_LAYOUT=deb python3 -m installer --destdir /lab/build/layer --prefix /usr /lab/build/*.whl
"""


def layer(tree: Path, root: Path) -> Path:
    """Return a directory with the project of `tree` installed as under `/`; built once for each content.

    Systemd units in packaging/systemd go to /usr/lib/systemd/system. Raises BuildFailed.
    """
    digest = _digest(tree, root)
    return build_once(
        cache_directory() / "layers" / digest,
        lambda target: _build(tree, root, target),
        "the project's layer",
    )


def _files(tree: Path) -> Iterator[Path]:
    for source in (tree / name for name in _SOURCES):
        if source.is_file():
            yield source
        else:
            yield from (p for p in sorted(source.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def _digest(tree: Path, root: Path) -> str:
    content = [root.name.encode(), Path(__file__).read_bytes()]
    for path in _files(tree):
        content += [str(path.relative_to(tree)).encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in content)).hexdigest()[:16]


def _build(tree: Path, root: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".work-") as name:
        work = Path(name)
        (work / "layer").mkdir()
        for path in _files(tree):
            copy = work / "source" / path.relative_to(tree)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        try:
            _install(root, work)
        except CommandFailed as err:
            raise BuildFailed(f"the project in {tree} can't be installed: {err}") from err
        _copy_units(tree / "packaging/systemd", work / "layer/usr/lib/systemd/system")
        (work / "layer").rename(target)


def _copy_units(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for unit in source.glob("*.*"):
        shutil.copy2(unit, target)


def _install(root: Path, work: Path) -> None:
    """Run the installation in the root, in a mount namespace of its own."""
    mounts = 'mount --bind "$0" "$0" && mount -t tmpfs tmpfs "$0/tmp" && mount -t tmpfs tmpfs "$0/lab"'
    build = 'mkdir "$0/lab/build" && mount --bind "$1" "$0/lab/build" && exec chroot "$0" /bin/sh -c "$2"'
    argv = ["unshare", "--mount", "sh", "-euc", f"{mounts} && {build}", str(root), str(work), _INSTALL]
    run(argv, timeout=120)
