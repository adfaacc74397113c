"""The wheel and the source archive, as anyone would install them."""

import subprocess
import sys
import venv
from pathlib import Path

import lunmapd

TREE = Path(__file__).parents[2]


def test_the_wheel_made_from_the_source_archive_works_in_a_clean_environment(tmp_path: Path) -> None:
    """The archive has all that the wheel is made of, and the wheel brings all that both commands need."""
    built, clean = tmp_path / "dist", tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "build", "--quiet", "--outdir", built, TREE], check=True, timeout=900
    )
    (wheel,) = built.glob("*.whl")
    assert (built / f"lunmapd-{lunmapd.__version__}.tar.gz").exists()
    venv.create(clean, with_pip=True)
    subprocess.run([clean / "bin/pip", "install", "--quiet", wheel], check=True, timeout=900)
    assert _run(clean, tmp_path, "lunmapctl", "--version") == f"lunmapctl, version {lunmapd.__version__}\n"
    config = str(TREE / "config/lunmapd.yaml")
    assert _run(clean, tmp_path, "lunmapd", "--check-config", "-c", config).startswith(config)


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
