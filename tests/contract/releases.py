"""Releases of a library other than Debian 13's, from the locks in requirements/."""

import hashlib
import subprocess
import sys
from pathlib import Path

from lab.build.cache import build_once, cache_directory

LOCKS = Path(__file__).parents[2] / "requirements"


def unpacked(library: str, release: str) -> Path:
    """Return a directory with the release `oldest` or `newest` of a library, for PYTHONPATH."""
    lock = LOCKS / f"{library}-{release}.txt"

    def build(target: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
        locked = ["--require-hashes", "--no-build-isolation", "--use-pep517", "--requirement", str(lock)]
        subprocess.run([*pip, "--target", target, *locked], check=True)

    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    return build_once(cache_directory() / library / digest, build, f"the {release} {library}")
