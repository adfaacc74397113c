"""Each file that a node keeps or is configured by, with anything in its place."""

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

from lunmapd.agent.loop.daemon_state import DAEMON_FILE, DaemonFile, DaemonState
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.targetctl import Targetctl
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.state.address_file import ADDRESS_FILE, AddressFile
from lunmapd.agent.state.claims import CLAIMS_FILE, Claims
from lunmapd.agent.state.machine_id import read_machine_id
from lunmapd.agent.state.map_snapshot import (
    SNAPSHOT_FILE,
    LocalSnapshot,
    SnapshotDamagedError,
    load_kept,
)
from lunmapd.agent.state.process import this_process
from lunmapd.agent.state.seen_file import SEEN_FILE, SeenFile, SeenState, ValidityKey
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.planning.former import HolderRecord
from lunmapd.lio.base.reservation_files import keep_synced, read_registrations
from lunmapd.service.keyfile import read_keys
from lunmapd.service.settings import load_settings
from lunmapd.store.session.credentials import Tls, tls_context
from lunmapd.store.session.secret_files import read_secret
from lunmapd.store.tree.snapshot import Snapshot
from support.bad_files import BAD_FILES, refuse_writes

SECONDS = 20.0
"""The longest that a read may take. One that waits for the other end of a FIFO never ends."""

AT = HistoryPoint("c", 1, "0")
SNAPSHOT = Snapshot("c", 1, "0", "0", 0, EMPTY_MAP)
Use = Callable[[Path], object]


def _registrations(path: Path) -> object:
    keep_synced(path.parent)
    return read_registrations(path)


READ: dict[str, Use] = {
    CLAIMS_FILE: lambda path: Claims(path.parent).load(),
    SEEN_FILE: lambda path: SeenFile(path.parent).content,
    DAEMON_FILE: lambda path: DaemonFile(path.parent).read("boot"),
    ADDRESS_FILE: lambda path: AddressKeeper(AddressFile(path.parent, "boot"), "n1").record,
    SNAPSHOT_FILE: lambda path: (load_kept(path.parent), LocalSnapshot(path.parent).load()),
    "machine-id": read_machine_id,
    "secrets.key": read_keys,
    "password": read_secret,
    "ca.pem": lambda path: tls_context(Tls(path)),
    "lunmapd.yaml": load_settings,
    "etc/target/saveconfig.json": lambda path: Targetctl(path.parents[2]).condition(EMPTY_MAP, "n1"),
    "aptpl_0001": _registrations,
}
"""Reads each file at a path, as the daemon does."""

END = {"machine-id", "secrets.key", "password", "ca.pem", "lunmapd.yaml", SNAPSHOT_FILE}
"""The files that are reported by an error with their path; the others count as empty."""

VALID = {("secrets.key", "empty"), ("password", "null"), ("password", "other JSON")}
"""A key file without keys, and texts that are passwords like any others."""

WRITE: dict[str, Use] = {
    CLAIMS_FILE: lambda path: Claims(path.parent).save({"t"}),
    SEEN_FILE: lambda path: SeenFile(path.parent).save(SeenState(ValidityKey(AT, "n1", "boot", ()))),
    DAEMON_FILE: lambda path: DaemonFile(path.parent).write(DaemonState(this_process("boot"), Policy())),
    ADDRESS_FILE: lambda path: AddressFile(path.parent, "boot").save(HolderRecord(1)),
    SNAPSHOT_FILE: lambda path: _loaded(path).keep(SNAPSHOT),
}
"""Writes each file of the state directory anew."""


def _loaded(path: Path) -> LocalSnapshot:
    local = LocalSnapshot(path.parent)
    with suppress(SnapshotDamagedError):
        local.load()
    return local


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """End a test that waits."""

    def expire(_: int, __: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("name", READ)
def test_anything_in_place_of_a_file_is_reported_or_counts_as_none(
    tmp_path: Path, name: str, kind: str
) -> None:
    """No read waits or raises an error that no cycle expects."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    BAD_FILES[kind](path)
    try:
        READ[name](path)
    except LunmapdError as error:
        assert name in END
        assert str(error)
    else:
        assert name not in END or (name, kind) in VALID


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("name", WRITE)
def test_a_file_of_the_state_directory_is_written_anew(tmp_path: Path, name: str, kind: str) -> None:
    """Whatever is in its place; only a directory stays, and no write raises."""
    path = tmp_path / name
    BAD_FILES[kind](path)
    WRITE[name](path)
    assert path.is_dir() if kind == "directory" and name != SNAPSHOT_FILE else path.stat().st_size < 10_000
    assert kind == "directory" or not path.is_symlink()


@pytest.mark.parametrize("name", WRITE)
def test_a_disk_that_refuses_ends_nothing(tmp_path: Path, name: str) -> None:
    """The state of a node can be written on, though it reaches no disk."""
    refuse_writes(tmp_path / name)
    WRITE[name](tmp_path / name)
    assert not (tmp_path / name).exists()
