"""The wheel and the source archive, as anyone would install them."""

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import lunmapd

TREE = Path(__file__).parents[2]


def test_the_wheel_made_from_the_source_archive_works_in_a_clean_environment(tmp_path: Path) -> None:
    """The archive has all that the wheel is made of, and the wheel brings all that both commands need."""
    built, locked, clean = tmp_path / "dist", tmp_path / "locked", tmp_path / "venv"
    _python("build", "--quiet", "--no-isolation", "--outdir", built, TREE)
    (wheel,) = built.glob("*.whl")
    assert (built / f"lunmapd-{lunmapd.__version__}.tar.gz").exists()
    assert "lunmapd/service/ctl/page/templates/page.html" in ZipFile(wheel).namelist()
    # pip finds nothing but the locked packages, and takes of these what the wheel asks for.
    hashed = ("--require-hashes", "--no-build-isolation", "--use-pep517", "--requirement")
    _python("pip", "wheel", "--quiet", *hashed, TREE / "requirements/runtime.txt", "--wheel-dir", locked)
    venv.create(clean, with_pip=True)
    offline = (
        clean / "bin/pip",
        "install",
        "--isolated",
        "--quiet",
        "--no-index",
        "--find-links",
        locked,
        wheel,
    )
    subprocess.run(offline, check=True, timeout=900)
    assert _run(clean, tmp_path, "lunmapctl", "--version") == f"lunmapctl, version {lunmapd.__version__}\n"
    config = str(TREE / "config/lunmapd.yaml")
    assert _run(clean, tmp_path, "lunmapd", "--check-config", "-c", config).startswith(config)


def _python(module: str, *words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", module, *words], check=True, timeout=900)


def _run(clean: Path, directory: Path, command: str, *words: str) -> str:
    done = subprocess.run(
        [clean / "bin" / command, *words],
        check=True,
        timeout=120,
        cwd=directory,
        capture_output=True,
        text=True,
    )
    return done.stdout
