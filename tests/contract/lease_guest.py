"""Runs in the storage node: the lease process on real interfaces, with a peer in a network namespace.

`lease_guest.py NAME` prints the result of one of CASES as JSON. `contract` and `support` are packages for it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from lunmapd.agent.floating.addresses import GroupAddresses, LeaseError
from lunmapd.clock import boot_time
from lunmapd.service.lease.client import LEASE_COMMAND, LeaseDeadlines, LeaseProcess
from support.address_recorder import Recorder

MANY = GroupAddresses(
    tuple(f"10.55.0.{n}" for n in range(101, 111)) + tuple(f"2001:db8:55::{n}" for n in range(101, 111))
)
PAIR = GroupAddresses(("10.55.0.50", "2001:db8:55::50"))
PEERS = ("10.55.0.2", "2001:db8:55::2")
_WRONG = "02:00:00:00:00:99"
_STOPS = """
import os, signal, sys
from lunmapd.service.lease import netlink, process
put = netlink.Netlink.put
def stopped(*arguments):
    os.kill(os.getpid(), signal.SIGSTOP)
    put(*arguments)
netlink.Netlink.put = stopped
process.main(*sys.argv[1:])
"""
_SAMPLER = """
import json, select, sys, time
gaps, before = [], time.clock_gettime(time.CLOCK_BOOTTIME)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    if now > before + 0.03:
        gaps.append((before + 0.02, now))
    before = now
print(json.dumps(gaps))
"""
_DAEMON = """
import sys, time
from pathlib import Path
from contract.lease_guest import PAIR
from lunmapd.service.lease.client import LeaseProcess
from lunmapd.clock import boot_time
process = LeaseProcess(Path(sys.argv[1]))
process.presence(PAIR)
process.grant(PAIR, 6, boot_time() + 2)
print(boot_time(), flush=True)
time.sleep(60)
"""


class Net:
    """This namespace with `lan` and the peer's: its commands, and the interfaces that a kind needs."""

    def __init__(self, kind: str) -> None:
        """Make `lan` of a kind, plain, vlan or bond, in both namespaces."""
        self.peer = subprocess.Popen(["unshare", "--net", "sleep", "120"], stdout=subprocess.DEVNULL)
        _until(lambda: _namespace(str(self.peer.pid)) != _namespace("self"))
        _ip(f"link add cable type veth peer name cable netns {self.peer.pid}")
        for number, run in enumerate((_ip, self.there), start=1):
            run("link set lo up")
            run("link set cable up")
            _make_lan(run, kind)
            run(f"addr add 10.55.0.{number}/24 dev lan")
            run(f"addr add 2001:db8:55::{number}/64 dev lan nodad")
        _until(lambda: b"NO-CARRIER" not in _ip("link show lan"))

    def there(self, line: str) -> bytes:
        """Run ip in the peer's namespace."""
        return _run("nsenter", "-t", str(self.peer.pid), "-n", "ip", *line.split())

    def hardware(self, address: str) -> str:
        """Return the hardware address that the peer has for an address."""
        (neighbour,) = json.loads(self.there(f"-json neigh show {address} dev lan"))
        return str(neighbour.get("lladdr"))

    def mislead(self, addresses: Sequence[str]) -> None:
        """Let the peer have a wrong hardware address for them."""
        for address in addresses:
            self.there(f"neigh replace {address} lladdr {_WRONG} nud stale dev lan")

    def close(self) -> None:
        """Remove everything."""
        for name in ("lan", "cable"):
            if name in {each for _, each in socket.if_nameindex()}:
                _ip(f"link del {name}")
        _end(self.peer)


def _namespace(process: str) -> str:
    return str(Path(f"/proc/{process}/ns/net").readlink())


def _make_lan(run: Callable[[str], bytes], kind: str) -> None:
    match kind:
        case "vlan":
            run("link add link cable name lan type vlan id 5")
        case "bond":
            run("link add lan type bond mode active-backup miimon 50")
            run("link set cable down")
            run("link set cable master lan")
        case _:
            run("link set cable down")
            run("link set cable name lan")
    run("link set lan up")


def lateness(busy: int) -> Mapping[str, object]:
    """Stop the lease process and its daemon's request after a grant: only the kernel's lifetime is left.

    An emulated machine does not run while its host runs others. That time is measured, and does not count as
    the kernel's: this process and `_SAMPLER` have a real-time priority, so nothing here delays them.
    """
    with _in_real_time(), _rig() as rig, ExitStack() as stack:
        for _ in range(busy):
            loop = ["chrt", "--other", "0", sys.executable, "-c", "while True: pass"]
            stack.callback(_end, subprocess.Popen(loop))
        sampler = subprocess.Popen(
            [sys.executable, "-c", _SAMPLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        start = boot_time()
        rig.process.grant(MANY, 2, start + 5)
        end = boot_time() + 2
        os.kill(rig.lease_pid(), signal.SIGSTOP)
        _until(lambda: rig.gone(MANY.addresses), 20)
        gaps = json.loads(sampler.communicate()[0])
        late = [_ran(end, rig.ended(address), gaps) for address in MANY.addresses]
        os.kill(rig.lease_pid(), signal.SIGCONT)
        return {"late": sorted(late), "took": round(end - 2 - start, 3)}


@contextmanager
def _in_real_time() -> Iterator[None]:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _ran(start: float, end: float, gaps: Sequence[Sequence[float]]) -> float:
    """Return for how long the machine ran from `start` to `end`, which is negative if that was before."""
    stolen = sum(max(0.0, min(end, last) - max(start, first)) for first, last in gaps)
    return round(end - start - stolen, 3)


def own_end() -> Mapping[str, object]:
    """Grant once: the lease process removes the addresses itself."""
    with _rig() as rig:
        rig.process.grant(PAIR, 1, boot_time() + 1)
        end = boot_time() + 1
        _until(lambda: rig.gone(PAIR.addresses), 5)
        return {"late": [round(rig.ended(address) - end, 3) for address in PAIR.addresses]}


def killed_daemon() -> Mapping[str, object]:
    """Kill the daemon: its lease process dies too, and a new daemon extends the lifetime without a pause."""
    with _rig() as rig:
        rig.process.close()
        first = _daemon(rig.lock)
        assert first.stdout is not None
        end = float(first.stdout.readline()) + 6
        lease = _child(first.pid)
        os.kill(lease, signal.SIGSTOP)
        first.kill()
        first.wait()
        _until(lambda: not Path(f"/proc/{lease}").exists() or "Z" in _state(lease), 5)
        rig.process.grant(PAIR, 2, boot_time() + 5)
        extended = boot_time() < end
        rig.process.close()
        _until(lambda: rig.gone(PAIR.addresses), 10)
        spans = {address: len(rig.recorder.intervals[address]) for address in PAIR.addresses}
        return {"extended": extended, "spans": spans}


def stopped_in_grant() -> Mapping[str, object]:
    """Stop the lease process between its decision and its call: it is killed, and no address comes."""
    with _rig() as rig:
        rig.process.close()
        process = LeaseProcess(rig.lock, (sys.executable, "-c", _STOPS))
        process.presence(PAIR)
        start = boot_time()
        error = _error(lambda: process.grant(PAIR, 2, start + 0.5))
        took = boot_time() - start
        process.close()
        time.sleep(0.2)
        return {
            "error": error,
            "took": round(took, 3),
            "came": sorted(set(PAIR.addresses) & set(rig.recorder.intervals)),
        }


def network(kind: str) -> Mapping[str, object]:
    """Detect duplicates, and announce addresses, on a kind of interface."""
    with _rig(kind) as rig:
        return {**_detected(rig), **_announced(rig)}


def _detected(rig: "_Rig") -> Mapping[str, object]:
    """Detect an address of the peer, one of nobody, and one that this node holds."""
    found = [rig.process.detect_duplicates(GroupAddresses((address,))) for address in PEERS]
    free = rig.process.detect_duplicates(PAIR)
    rig.process.grant(PAIR, 5, boot_time() + 1)
    own = rig.process.detect_duplicates(PAIR)
    rig.process.drop(PAIR)
    peer = json.loads(rig.net.there("-json link show lan"))[0]["address"]
    answers = [each is not None and each.hardware == peer for each in found]
    return {"found": answers, "free": free is None, "own": own is None}


def _announced(rig: "_Rig") -> Mapping[str, object]:
    """Correct the peer's neighbours by an announcement; send none after a drop."""
    own = json.loads(_ip("-json link show lan"))[0]["address"]
    rig.net.mislead(PAIR.addresses)
    rig.process.grant(PAIR, 5, boot_time() + 1)
    rig.process.announce(PAIR)
    _until(lambda: all(rig.net.hardware(address) == own for address in PAIR.addresses), 3)
    shown = json.loads(_ip("-json -6 addr show lan"))[0]["addr_info"]
    tentative = [each.get("tentative", False) for each in shown if each["local"] == PAIR.addresses[1]]
    rig.process.announce(PAIR)
    rig.process.drop(PAIR)
    rig.net.mislead(PAIR.addresses)
    time.sleep(1.3)
    after = [rig.net.hardware(address) for address in PAIR.addresses]
    return {"tentative": tentative, "after": after, "wrong": _WRONG}


def beside_own_addresses() -> Mapping[str, object]:
    """Remove the node's own address and the floating one in turn; each stays without the other."""
    with _rig() as rig:
        _ip("addr add 10.55.0.50/24 dev lan")
        rig.process.grant(PAIR, 5, boot_time() + 1)
        shown = json.loads(_ip("-json -4 addr show lan"))[0]["addr_info"]
        lifetimes = [each["valid_life_time"] for each in shown if each["local"] == "10.55.0.50"]
        source = json.loads(_ip("-json route get 10.55.0.2"))[0]["prefsrc"]
        _ip("addr del 10.55.0.1/24 dev lan")
        kept = "10.55.0.50" in rig.process.presence(PAIR).present
        _ip("addr add 10.55.0.1/24 dev lan")
        rig.process.drop(PAIR)
        return {
            "refused": [_error(partial(_grant_own, rig, own)) for own in ("10.55.0.1", "2001:db8:55::1")],
            "lifetimes": lifetimes,
            "source": source,
            "kept": kept,
            "own": b"10.55.0.1/24" in _ip("addr show lan"),
        }


def _grant_own(rig: "_Rig", address: str) -> None:
    rig.process.grant(GroupAddresses((address,)), 2, boot_time() + 1)


class _Rig:
    def __init__(self, net: Net, directory: str) -> None:
        self.net, self.lock = net, Path(directory) / "lock"
        self.process = LeaseProcess(self.lock, LEASE_COMMAND, LeaseDeadlines(start=60))
        self.recorder = Recorder()

    def lease_pid(self) -> int:
        """Return the lease process."""
        return _child(os.getpid(), "lunmapd.service.lease.process")

    def gone(self, addresses: Sequence[str]) -> bool:
        """Return whether the recorder has seen the ends of all of them."""
        known = self.recorder.intervals
        return all(known.get(each) and known[each][-1][1] is not None for each in addresses)

    def ended(self, address: str) -> float:
        """Return when an address went last."""
        end = self.recorder.intervals[address][-1][1]
        assert end is not None, "it is there"
        return end


@contextmanager
def _rig(kind: str = "plain") -> Iterator[_Rig]:
    net = Net(kind)
    with tempfile.TemporaryDirectory() as directory:
        rig = _Rig(net, directory)
        try:
            rig.process.presence(PAIR)  # its start takes a second
            yield rig
        finally:
            rig.process.close()
            rig.recorder.stop()
            net.close()


def _daemon(lock: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _DAEMON, str(lock)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _child(parent: int, name: str = "") -> int:
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            line = (directory / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and name in line:
            return int(directory.name)
    raise AssertionError("it has no child")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def _error(act: Callable[[], object]) -> str:
    try:
        act()
    except LeaseError as error:
        return type(error).__name__
    return ""


def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def _ip(line: str) -> bytes:
    return _run("ip", *line.split())


CASES: Mapping[str, Callable[[], Mapping[str, object]]] = {
    "late-idle": lambda: lateness(0),
    "late-busy": lambda: lateness(4),
    "own-end": own_end,
    "killed-daemon": killed_daemon,
    "stopped-in-grant": stopped_in_grant,
    **{f"network-{kind}": partial(network, kind) for kind in ("plain", "vlan", "bond")},
    "own-addresses": beside_own_addresses,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: CASES[name]() for name in sys.argv[1:] or CASES}) + "\n")
