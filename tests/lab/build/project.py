"""The project built from a working tree: a layer over the shared root, and the Debian package."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.build.cache import build_once, cache_directory
from lab.build.root import workshop
from lab.errors import BuildFailed, CommandFailed
from lab.result import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "lunmapd")
_PACKAGING = ("CHANGELOG.md", "SECURITY.md", "config", "docs", "packaging")
# Debian's Python installs where a package of Debian would when asked for this layout.
_INSTALL = """
python3 -c 'import hatchling.build; hatchling.build.build_wheel("/lab/build")'
DEB_PYTHON_INSTALL_LAYOUT=deb python3 -m installer --destdir /lab/build/out --prefix /usr /lab/build/*.whl
install -D -m 644 -t /lab/build/out/usr/lib/systemd/system packaging/systemd/*.service
"""


def layer(tree: Path, root: Path) -> Path:
    """Return a directory with the project of `tree` installed as below `/`. Raises BuildFailed.

    It is built once for each content.
    """
    return _built("layers", tree, (*_SOURCES, "packaging/systemd"), root, _INSTALL)


def package(tree: Path) -> Path:
    """Return the Debian package of `tree`, built in a Debian 13 and checked by lintian.

    Raises BuildFailed.
    """
    script = f"SOURCE_DATE_EPOCH={_date(tree)} packaging/build-deb /lab/build/out"
    (found,) = _built("packages", tree, (*_SOURCES, *_PACKAGING), workshop(), script).glob("*.deb")
    return found


def _date(tree: Path) -> int:
    """Return when `tree` was last committed, in seconds since 1970; now, if that is not known."""
    asked = ["git", "-C", str(tree), "log", "-1", "--format=%ct"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else int(time.time())


def _built(kind: str, tree: Path, sources: Sequence[str], root: Path, script: str) -> Path:
    """Return the directory that `script` has filled in `root` with the sources of `tree`."""
    files = [path for name in sources for path in _files(tree / name)]
    return build_once(
        cache_directory() / kind / _digest(tree, files, root),
        lambda target: _build(tree, files, root, script, target),
        f"the project's {kind.removesuffix('s')}",
    )


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    else:
        yield from (p for p in sorted(source.rglob("*")) if p.is_file() and "__pycache__" not in p.parts)


def _digest(tree: Path, files: Sequence[Path], root: Path) -> str:
    content = [root.name.encode(), Path(__file__).read_bytes()]
    for path in files:
        content += [str(path.relative_to(tree)).encode(), path.read_bytes()]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in content)).hexdigest()[:16]


def _build(tree: Path, files: Sequence[Path], root: Path, script: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".work-") as name:
        work = Path(name)
        (work / "out").mkdir()
        for path in files:
            copy = work / "source" / path.relative_to(tree)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        try:
            _run_in(root, work, f"set -eu; cd /lab/build/source; {script}")
        except CommandFailed as err:
            raise BuildFailed(f"the project in {tree} can't be built: {err}") from err
        (work / "out").rename(target)


def _run_in(root: Path, work: Path, script: str) -> None:
    """Run a script in `root` with `work` as /lab/build, in a mount namespace of its own."""
    mounts = 'mount --bind "$0" "$0" && mount -t tmpfs tmpfs "$0/tmp" && mount -t tmpfs tmpfs "$0/lab"'
    build = 'mkdir "$0/lab/build" && mount --bind "$1" "$0/lab/build" && exec chroot "$0" /bin/sh -c "$2"'
    argv = ["unshare", "--mount", "sh", "-euc", f"{mounts} && {build}", str(root), str(work), script]
    run(argv, timeout=300)
