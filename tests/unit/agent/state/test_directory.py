"""The state directory: made if need be, and used by one daemon only."""

from pathlib import Path

import pytest

from lunmapd.agent.state.directory import StateDirectoryError, state_directory


def test_the_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    """A missing directory is made, closed to others."""
    with state_directory(tmp_path / "a" / "b") as path:
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """While one process uses the directory another is refused, and may use it afterwards."""
    with (
        state_directory(tmp_path),
        pytest.raises(StateDirectoryError, match="another lunmapd"),
        state_directory(tmp_path),
    ):
        pass
    with state_directory(tmp_path):
        pass


def test_a_directory_that_cant_be_made_is_said(tmp_path: Path) -> None:
    """Where a file is in the way, the error names the path."""
    (tmp_path / "file").touch()
    with pytest.raises(StateDirectoryError, match="file"), state_directory(tmp_path / "file" / "x"):
        pass
