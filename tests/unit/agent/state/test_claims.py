"""The claims on the disk."""

import logging
from pathlib import Path

import pytest

from lunmapd.agent.state.claims import Claims, ClaimsUnreadableError, ClaimsUnwritableError
from support.bad_files import BAD_FILES, refuse_writes

T = "iqn.2026-01.org.example:t"


def test_claims_survive_a_restart(tmp_path: Path) -> None:
    """Another instance reads the written claims."""
    assert Claims(tmp_path).save({T, T + "2"})
    assert Claims(tmp_path).load() == {T, T + "2"}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_claims_that_cant_be_used_are_none(tmp_path: Path, kind: str) -> None:
    """Whatever the file is, nothing of others is taken for ours, and the problem names the file."""
    BAD_FILES[kind](tmp_path / "claims.json")
    claims = Claims(tmp_path)
    assert (claims.load(), claims.recorded) == (frozenset(), frozenset())
    assert isinstance(claims.problem, ClaimsUnreadableError)
    assert str(tmp_path / "claims.json") in str(claims.problem)


@pytest.mark.parametrize("kind", BAD_FILES.keys() - {"directory"})
def test_claims_that_cant_be_used_are_written_anew(tmp_path: Path, kind: str) -> None:
    """The next claims replace anything but a directory, also when they are none."""
    for names in ({T}, set[str]()):
        BAD_FILES[kind](tmp_path / "claims.json")
        claims = Claims(tmp_path)
        claims.load()
        assert claims.save(names)
        assert claims.problem is None
        assert Claims(tmp_path).load() == names
        (tmp_path / "claims.json").unlink()


def test_a_disk_that_refuses_keeps_the_claims(tmp_path: Path) -> None:
    """The file keeps what it has, which stays usable; the problem names it and the remedy."""
    claims = Claims(tmp_path)
    claims.save({T})
    refuse_writes(tmp_path / "claims.json")
    assert not claims.save({T, T + "2"})
    assert claims.recorded == {T}
    assert isinstance(claims.problem, ClaimsUnwritableError)
    assert str(claims.problem).startswith(f"can't write {tmp_path}/claims.json: ")
    assert str(claims.problem).endswith("free or repair the disk")


def test_a_file_that_breaks_under_a_running_daemon_loses_no_claim(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The process still knows them, but doesn't count them as recorded; the journal has it once."""
    claims = Claims(tmp_path)
    claims.save({T})
    (tmp_path / "claims.json").write_bytes(b"x")
    refuse_writes(tmp_path / "claims.json")
    with caplog.at_level(logging.WARNING):
        assert [claims.load(), claims.load()] == [frozenset({T})] * 2
    assert claims.recorded == frozenset()
    assert not claims.save({T})
    assert isinstance(claims.problem, ClaimsUnreadableError)
    assert len(caplog.records) == 1
