"""The seen file: the state of the last pass that survives a restart."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.agent.state.seen_file import (
    SEEN_FILE,
    SeenFile,
    SeenFileUnwritableError,
    SeenState,
    ValidityKey,
    baseline_from,
)
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.drift import DriftBaseline

TERMS = ValidityKey(HistoryPoint("c", 3, "d"), "n1", "boot", ("k1",))
OPEN: tuple[lio_objects.Key, ...] = (("mapped_lun", "t", 1, "h", 0), ("tpg", "t", 1))
PAST = SeenState(TERMS, OPEN, (("target", "other"),))


def test_it_is_found_again_by_the_same_terms(tmp_path: Path) -> None:
    """Another instance finds it, in a file that only its owner can read."""
    SeenFile(tmp_path).save(PAST)
    assert SeenFile(tmp_path).load(TERMS) == PAST
    assert (tmp_path / SEEN_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "terms",
    [
        replace(TERMS, at=HistoryPoint("c", 4, "d")),
        replace(TERMS, at=HistoryPoint("c", 3, "e")),
        replace(TERMS, at=HistoryPoint("x", 3, "d")),
        replace(TERMS, node="n2"),
        replace(TERMS, boot="another"),
        replace(TERMS, keys=()),
        replace(TERMS, version="0"),
    ],
)
def test_by_other_terms_nothing_is_known(tmp_path: Path, terms: ValidityKey) -> None:
    """Another map, node, boot, program or set of keys may want something else, or find another kernel."""
    SeenFile(tmp_path).save(PAST)
    assert SeenFile(tmp_path).load(terms) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"terms":1}'])
def test_a_damaged_file_tells_nothing(tmp_path: Path, data: bytes) -> None:
    """A damaged file is no error: unknown drift is repaired as if the map asked for it."""
    (tmp_path / SEEN_FILE).write_bytes(data)
    assert SeenFile(tmp_path).load(TERMS) is None


def test_what_is_kept_already_is_not_written_again(tmp_path: Path) -> None:
    """A node at rest writes nothing."""
    kept = SeenFile(tmp_path)
    kept.save(PAST)
    (tmp_path / SEEN_FILE).unlink()
    kept.save(PAST)
    assert not (tmp_path / SEEN_FILE).exists()


def test_what_cant_be_written_leaves_nothing_that_is_no_longer_so(tmp_path: Path) -> None:
    """If the file can't be written it is removed, since undone steps would look like drift."""
    kept = SeenFile(tmp_path)
    kept.save(PAST)
    blocker = tmp_path / f"{SEEN_FILE}.new"
    blocker.mkdir()
    kept.save(replace(PAST, open=()))
    assert "after a restart" in str(kept.problem)
    assert not (tmp_path / SEEN_FILE).exists()
    assert kept.load(TERMS) is None
    blocker.rmdir()
    kept.save(PAST)
    assert kept.problem is None
    assert SeenFile(tmp_path).load(TERMS) == PAST


def test_a_directory_that_is_gone_is_one_error(tmp_path: Path) -> None:
    """If even the old file can't be removed, that is one error."""
    (tmp_path / "file").touch()
    nowhere = SeenFile(tmp_path / "file")
    nowhere.save(PAST)
    assert isinstance(nowhere.problem, SeenFileUnwritableError)


def test_what_the_map_could_not_have_then_decides() -> None:
    """A foreign target that was adopted since was never seen as desired; a missing device changes nothing."""
    other: dict[lio_objects.Key, Failure] = {("target", "other"): Failure(Reason.FOREIGN_TARGET, "x")}
    missing: dict[lio_objects.Key, Failure] = {("storage_object", "a"): Failure(Reason.BACKING_MISSING, "x")}
    objects: lio_objects.DesiredObjects = {("target", "t"): lio_objects.Target("t")}
    assert baseline_from(PAST, Desired(objects, {**other, **missing})) == DriftBaseline(
        objects, frozenset(OPEN)
    )
    assert baseline_from(PAST, Desired(objects, {})) is None
