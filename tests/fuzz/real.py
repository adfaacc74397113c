"""The LIO of the kernel, for a machine of its own: everything in it is removed at the start."""

import os
import signal
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from fuzz.documents import HOSTS, LUNS, MIB
from fuzz.hosts import Session
from fuzz.view import FOREIGN, Listing, list_configfs
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan
from lunmapd.lio.worker.kernel import Kernel

ROOT = Path("/sys/kernel/config/target")
FILES = ("fileio", "fileio", "ramdisk")
"""The kinds of backings."""
_SRV = Path("/srv")
_OWN = 10_000


class KilledError(BaseException):
    """The daemon was killed in a pass."""


class Killable:
    """The daemon's side of the worker, which dies after some steps."""

    def __init__(self) -> None:
        self.inner = Kernel()
        self.steps_to_live: int | None = None

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """See Kernel."""
        return self.inner.observe(claims)

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """See Kernel."""
        return self.inner.observe_some(items)

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """See Kernel."""
        return self.inner.count_commands(acls)

    def apply(self, plan: Plan) -> Iterator[StepOutcome]:
        """See Kernel. The worker is killed while it does the steps after the counted ones."""
        for outcome in self.inner.apply(plan):
            yield outcome
            if self.steps_to_live is not None:
                self.steps_to_live -= 1
                self._die()

    def _die(self) -> None:
        worker = self.inner._worker
        if self.steps_to_live is not None and self.steps_to_live < 0 and worker is not None:
            self.steps_to_live = None
            os.kill(worker.pid, signal.SIGKILL)


class Real:
    """The kernel's LIO, in which another tool has a target beside those of lunmapd. See fuzz.world.Lio."""

    killed: type[BaseException] = KilledError

    def __init__(self) -> None:
        """Begin with the files of all Luns, and with the objects of the other tool."""
        for name in LUNS:
            for path in (_SRV / f"fuzz-{name}", _SRV / f"fuzz-{name}2"):
                path.touch()
                os.truncate(path, 2 * MIB)
        self.kernel = Killable()
        self.reboot()

    def close(self) -> None:
        """End the worker, and remove everything."""
        self.kernel.inner.close()
        self._clear()
        for path in _SRV.glob("fuzz-*"):
            path.unlink()

    def listing(self) -> Listing:
        """See Lio."""
        return list_configfs(ROOT)

    def remove(self, path: str) -> None:
        """See Lio."""
        directory = ROOT / path
        if "/acls/" in path or "/np/" in path or "/lun/" in path:
            _remove_part(directory)
        elif path.startswith("core/"):
            _remove_disk(directory)
        else:
            for tpg in (
                [directory] if directory.name.startswith("tpgt_") else sorted(directory.glob("tpgt_*"))
            ):
                _remove_tpg(tpg)
            if not directory.name.startswith("tpgt_"):
                directory.rmdir()

    def write(self, path: str, text: str) -> None:
        """See Lio."""
        with suppress(OSError):
            (ROOT / path).write_text(text)

    def make(self, path: str, link: str = "") -> None:
        """See Lio."""
        directory = ROOT / path
        try:
            directory.mkdir()
        except OSError:
            return
        if link:
            try:
                (directory / "hand").symlink_to(ROOT / link)
                (directory / "write_protect").write_text("0")
            except OSError:
                directory.rmdir()

    def kill_worker(self, after: int) -> None:
        """See Lio."""
        self.kernel.steps_to_live = after

    def restart(self) -> None:
        """See Lio."""
        self.kernel.inner.close()
        self.kernel = Killable()

    def reboot(self) -> None:
        """See Lio: all objects are removed, but the kernel goes on."""
        self._clear()
        _make_foreign()

    def _clear(self) -> None:
        (ROOT / "iscsi").mkdir(exist_ok=True)
        for target in sorted(ROOT.glob("iscsi/iqn*")):
            self.remove(f"iscsi/{target.name}")
        for disk in sorted(ROOT.glob("core/*_*/*/")):
            if (disk / "control").exists():
                _remove_disk(disk)
        for hba in sorted(ROOT.glob("core/*_*/")):
            hba.rmdir()

    def file(self, path: str, *, is_there: bool) -> None:
        """See Lio."""
        file, away = Path(path), Path(f"{path}.away")
        if is_there and away.exists():
            away.rename(file)
        elif not is_there and file.exists():
            file.rename(away)

    def refuse(self, choice: int) -> None:
        """See Lio: the kernel refuses only what it has a reason for."""

    def heal(self) -> None:
        """See Lio."""
        for away in _SRV.glob("fuzz-*.away"):
            away.rename(away.with_suffix(""))

    def sessions(self) -> set[Session]:
        """See Sessions: no host is there."""
        return set()

    def log_in(self, session: Session, tag: int) -> None:
        """See Sessions."""

    def end(self, session: Session, *, by_request: bool) -> None:
        """See Sessions."""


def _links(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_symlink()]


def _remove_part(directory: Path) -> None:
    """Remove a portal, an ACL, a mapped LUN, or a LUN with its mapped LUNs."""
    if directory.parent.name == "acls":
        for mapped in sorted(directory.glob("lun_*")):
            _remove_part(mapped)
    if directory.parent.name == "lun":
        for mapped in sorted(directory.parent.parent.glob("acls/*/lun_*")):
            if any(link.resolve() == directory for link in _links(mapped)):
                _remove_part(mapped)
    for link in _links(directory):
        link.unlink()
    directory.rmdir()


def _remove_tpg(tpg: Path) -> None:
    (tpg / "enable").write_text("0")
    for pattern in ("acls/*/", "lun/lun_*", "np/*/"):
        for part in sorted(tpg.glob(pattern)):
            _remove_part(part)
    tpg.rmdir()


def _remove_disk(disk: Path) -> None:
    """Remove a storage object with the LUNs that lead to it, and its HBA if lunmapd made that."""
    for lun in sorted(ROOT.glob("iscsi/iqn*/tpgt_*/lun/lun_*")):
        if any(link.resolve() == disk for link in _links(lun)):
            _remove_part(lun)
    for group in sorted(disk.glob("alua/*/")):
        if group.name != "default_tg_pt_gp":
            group.rmdir()
    disk.rmdir()
    if int(disk.parent.name.rpartition("_")[2]) >= _OWN:
        disk.parent.rmdir()


def _make_foreign() -> None:
    """Make a storage object, and a target with a LUN, as another tool does."""
    disk, tpg = ROOT / "core/rd_mcp_0/ram", ROOT / "iscsi" / FOREIGN / "tpgt_1"
    disk.mkdir(parents=True)
    (disk / "control").write_text("rd_pages=16")
    (disk / "enable").write_text("1")
    acl = tpg / "acls" / HOSTS[0]
    for directory in (tpg.parent, tpg, tpg / "lun/lun_0", acl, acl / "lun_0", tpg / "np/10.9.7.1:3260"):
        directory.mkdir()
    (tpg / "lun/lun_0/it").symlink_to(disk)
    (acl / "lun_0/it").symlink_to(tpg / "lun/lun_0")
    (tpg / "rtpi").write_text("7777")
    (tpg / "enable").write_text("1")
