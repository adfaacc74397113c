"""An initiator: a machine with open-iscsi and dm-multipath, set for failovers of a few seconds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.machines.io import Progress, VerifiedIO, pattern, start_verified_io
from lab.wait import PATIENCE, wait_for, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machines.machine import Machine

MODULES = ("iscsi_tcp", "sd_mod", "dm_multipath", "dm_service_time", "dm_round_robin", "dm_queue_length")
_PREPARE = """
set -e
mkdir -p /etc/iscsi /run/lock
echo InitiatorName="$1" >/etc/iscsi/initiatorname.iscsi
cp /run/lab/iscsid.conf /etc/iscsi/iscsid.conf
cp /run/lab/multipath.conf /etc/multipath.conf
/usr/lib/systemd/systemd-udevd --daemon
iscsid
multipathd
until multipathd show daemon >/dev/null 2>&1; do :; done
"""
# Tests run these often, so the shell does all by itself. multipathd answers `timeout` while it is
# busy with new maps for longer than 4 s (`uxsock_timeout`).
_SESSIONS = r"""
for s in /sys/class/iscsi_session/session*; do
    [ -e $s ] || continue
    set -- $s/device/connection*/iscsi_connection/connection*
    read target <$s/targetname; read state <$s/state; read tpgt <$s/tpgt
    read address <$1/persistent_address; read port <$1/persistent_port
    echo "${s##*/session} $address $port $tpgt $target $state"
done
"""
_MAPS = rf"""
{_SESSIONS}
echo @@@
for d in /sys/block/sd*; do
    cd -P $d/device 2>/dev/null || continue
    session=${{PWD#*/session}}
    echo "${{d##*/}} ${{PWD##*/}} ${{session%%/*}}"
done
echo @@@
until maps=$(multipathd show maps json); do sleep 0.1; done
echo "$maps"
"""


@dataclass(frozen=True)
class Path:
    """One path of a map: block device, SCSI address, and how multipathd and the kernel see it."""

    device: str
    hctl: str
    address: str
    """The portal's address."""
    group: int
    checker: str
    """multipathd's view: "ready", "faulty", "ghost", ..."""
    kernel: str
    """dm's view: "active" or "failed"."""
    priority: int
    target: str

    @property
    def usable(self) -> bool:
        """Return whether I/O can use this path."""
        return self.checker == "ready" and self.kernel == "active"


@dataclass(frozen=True)
class Map:
    """One multipath device."""

    name: str
    wwid: str
    dm: str
    paths: tuple[Path, ...]

    @property
    def device(self) -> str:
        """The device node."""
        return f"/dev/mapper/{self.name}"

    @property
    def usable_paths(self) -> tuple[Path, ...]:
        """The paths that I/O can take."""
        return tuple(path for path in self.paths if path.usable)


@dataclass(frozen=True)
class Session:
    """One iSCSI session."""

    sid: int
    address: str
    port: int
    tpgt: int
    target: str
    state: str
    """"LOGGED_IN", "FAILED" or "FREE"."""


@dataclass(frozen=True)
class Initiator:
    """The initiator `iqn` on `machine`."""

    machine: Machine
    iqn: str

    def start(self) -> None:
        """Boot the machine and start udevd, iscsid and multipathd."""
        self.machine.start()
        self.prepare()

    def prepare(self) -> None:
        """Start udevd, iscsid and multipathd on the running machine."""
        self.machine.run(["sh", "-c", _PREPARE, "sh", self.iqn])

    def discover(self, portal: str) -> list[str]:
        """Ask "ADDRESS[:PORT]" for targets; return lines "ADDRESS:PORT,TPGT IQN". Raises CommandFailed."""
        return self.machine.run(
            ["iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", portal]
        ).stdout.splitlines()

    def chap(self, **settings: str) -> None:
        """Set CHAP for all discovered targets.

        Keys: username, password, username_in, password_in; a missing one is unset.
        """
        names = ("username", "password", "username_in", "password_in")
        values = {"authmethod": "CHAP" if settings else "None"} | {
            name: settings.get(name, "") for name in names
        }
        for name, value in values.items():
            self.machine.run(
                ["iscsiadm", "-m", "node", "-o", "update", "-n", f"node.session.auth.{name}", "-v", value]
            )

    def login(self, target: str | None = None, portal: str | None = None) -> None:
        """Log in to all that was discovered, or to one target or portal. Raises CommandFailed."""
        self._node("--login", target, portal)

    def logout(self, target: str | None = None, portal: str | None = None) -> None:
        """Log out everywhere, or from one target or portal. Raises CommandFailed."""
        self._node("--logout", target, portal)

    def rescan(self) -> None:
        """Let all sessions find new and resized LUNs."""
        self.machine.run("iscsiadm -m session --rescan")

    def sessions(self) -> list[Session]:
        """Return all sessions, also those that have lost their connection."""
        return _sessions(self.machine.run(_SESSIONS).stdout)

    def multipaths(self) -> list[Map]:
        """Return all multipath maps."""
        sessions, disks, maps = self.machine.run(_MAPS).stdout.split("@@@")
        portals = {str(session.sid): session.address for session in _sessions(sessions)}
        ways = {}
        for device, hctl, sid in map(str.split, disks.strip().splitlines()):
            ways[device] = (hctl, portals.get(sid, ""))
        return [_map(entry, ways) for entry in json.loads(maps)["maps"]]

    def wait_multipaths(self, wanted: Callable[[list[Map]], bool], seconds: float = PATIENCE) -> list[Map]:
        """Return the maps as soon as `wanted` accepts them. Raises WaitTimeout."""
        return wait_for(f"the multipath maps of {self.machine.name}", self.multipaths, wanted, seconds)

    def verified_io(
        self, device: str, *, seed: int = 1, offset: int = 0, length: int = 16 << 20, rest: float = 0.03
    ) -> VerifiedIO:
        """Start writing and reading back random blocks of a region (bytes) in the background.

        It rests `rest` seconds between two blocks. Without a rest it uses up the processor of the machine,
        and that of the storage node. The kernel and multipathd know a device before udev has made its node.
        """
        there = ["test", "-b", device]
        wait_until(f"{device} is there", lambda: not self.machine.run(there, check=False).status)
        return start_verified_io(self.machine, device, (seed, offset, length), rest)

    def write_pattern(self, device: str, seed: int, offset: int, length: int) -> Progress:
        """Fill a region (bytes, multiples of 4096) with the pattern of `seed`."""
        return pattern(self.machine, "write", device, (seed, offset, length))

    def verify_pattern(self, device: str, seed: int, offset: int, length: int) -> Progress:
        """Compare a region with the pattern of `seed`; differing blocks are counted as mismatches."""
        return pattern(self.machine, "verify", device, (seed, offset, length))

    def end_io(self) -> None:
        """End the I/O that a failed test left running, so that it doesn't disturb the next test."""
        self.machine.run("while pkill -x lab-pattern; do sleep 0.1; done")

    def _node(self, verb: str, target: str | None, portal: str | None) -> None:
        chosen = [*(["-T", target] if target else []), *(["-p", portal] if portal else [])]
        self.machine.run(["iscsiadm", "-m", "node", *chosen, verb])


def _sessions(lines: str) -> list[Session]:
    return [_session(line) for line in lines.strip().splitlines()]


def _session(line: str) -> Session:
    sid, address, port, tpgt, target, state = line.split()
    return Session(int(sid), address, int(port), int(tpgt), target, state)


def _map(entry: dict[str, Any], ways: dict[str, tuple[str, str]]) -> Map:
    paths = tuple(
        _path(path, group["group"], ways.get(path["dev"], ("", "")))
        for group in entry["path_groups"]
        for path in group["paths"]
    )
    return Map(entry["name"], entry["uuid"], entry["sysfs"], paths)


def _path(path: dict[str, Any], group: int, way: tuple[str, str]) -> Path:
    return Path(
        device=path["dev"],
        hctl=way[0],
        address=way[1],
        group=group,
        checker=path["chk_st"],
        kernel=path["dm_st"],
        priority=path["pri"],
        target=path["target_wwnn"],
    )
