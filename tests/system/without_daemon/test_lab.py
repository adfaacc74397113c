"""The lab keeps its promises: real kernels, networks that can be cut, and nothing left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import CommandFailed, CommandTimeout, Disk, Lab, Machine, MachineUnreachable, wait_for
from lab.leftovers import reap, states
from lab.pytest_plugin import NewLab
from lab.result import run

pytestmark = pytest.mark.kernel
TESTS = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def shared_lab(new_lab: NewLab) -> Iterator[Lab]:
    """Make a lab for the tests that leave its machines as they were."""
    with new_lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def disk(shared_lab: Lab) -> Disk:
    """Make a disk that both machines have."""
    return shared_lab.disk("both", "8M")


@pytest.fixture(scope="module")
def pair(shared_lab: Lab, disk: Disk) -> tuple[Machine, Machine]:
    """Boot two machines."""
    one, two = (shared_lab.machine(name, disks=[disk], start=False) for name in ("one", "two"))
    shared_lab.start(one, two)
    return one, two


def test_a_command_returns_its_status_and_both_outputs(pair: tuple[Machine, Machine]) -> None:
    """`run` takes a script or a list, feeds input, and keeps stdout, stderr and status apart."""
    done = pair[0].run("cat; echo err >&2; exit 3", input="in", check=False)
    assert (done.status, done.stdout, done.stderr) == (3, "in", "err\n")
    assert pair[0].run(["echo", "a b", "$HOME"]).stdout == "a b $HOME\n"


def test_a_failed_command_raises_with_all_its_output(pair: tuple[Machine, Machine]) -> None:
    """A status other than 0 is an error that shows the command's output."""
    with pytest.raises(CommandFailed) as caught:
        pair[0].run("echo to out; echo to err >&2; false")
    assert "to out" in str(caught.value)
    assert "to err" in str(caught.value)


def test_a_command_that_does_not_end_is_killed_in_the_machine(pair: tuple[Machine, Machine]) -> None:
    """A timeout raises with the output so far, and the command's processes are gone."""
    with pytest.raises(CommandTimeout, match="so far"):
        pair[0].run("echo so far; sleep 4321", timeout=10.0)
    wait_for("pgrep", lambda: pair[0].run("pgrep -f 'sleep 432[1]'", check=False).status, lambda s: s == 1)


def test_commands_run_at_the_same_time(pair: tuple[Machine, Machine]) -> None:
    """A command that waits doesn't keep another one from running."""
    waiting = pair[0].spawn("echo begun; until [ -e /tmp/go ]; do sleep 0.05; done; echo went; exit 5")
    wait_for("the first command", waiting.output, lambda output: output == "begun\n")
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: pair[0].run(["echo", str(n)]).stdout, range(8)))
    assert numbers == [f"{n}\n" for n in range(8)]
    assert waiting.poll() is None
    pair[0].run("touch /tmp/go")
    assert (waiting.wait().status, waiting.output()) == (5, "begun\nwent\n")


def test_a_spawned_command_can_be_terminated(pair: tuple[Machine, Machine]) -> None:
    """`terminate` ends the command with all of its children."""
    command = pair[0].spawn("sleep 5432 & sleep 5432")
    wait_for(
        "pgrep", lambda: pair[0].run("pgrep -c -f 'sleep 543[2]'", check=False).stdout, lambda n: n >= "2"
    )
    assert command.terminate().status != 0
    assert pair[0].run("pgrep -x sleep -a | grep 5432", check=False).stdout == ""


def test_a_file_comes_back_as_it_was_put(pair: tuple[Machine, Machine]) -> None:
    """`put` and `get` carry any bytes, with the mode asked for."""
    content = bytes(range(256)) * 100
    pair[0].put("/srv/new dir/file", content, 0o640)
    assert pair[0].get("/srv/new dir/file") == content
    assert pair[0].run(["stat", "-c", "%a", "/srv/new dir/file"]).stdout == "640\n"


def test_machines_do_not_write_into_one_another(pair: tuple[Machine, Machine]) -> None:
    """A machine's writes to its root are invisible to other machines."""
    pair[0].put("/etc/only-here", "x")
    assert pair[1].run("test -e /etc/only-here", check=False).status == 1


def test_a_shared_disk_shows_what_the_other_machine_wrote(pair: tuple[Machine, Machine], disk: Disk) -> None:
    """A direct read of a shared disk returns what another machine has just written."""
    one, two = pair
    one.run(f"printf %-4096s hello | dd of={disk.device} bs=4096 oflag=direct conv=notrunc")
    assert two.run(f"dd if={disk.device} bs=4096 count=1 iflag=direct").stdout.startswith("hello")


def test_a_cut_machine_is_silent_but_can_be_commanded(pair: tuple[Machine, Machine]) -> None:
    """Cutting stops the data network alone; healing brings it back."""
    one, two = pair
    ping = ["ping", "-c", "1", "-W", "5", two.address]
    assert one.run(ping).status == 0
    one.cut()
    assert one.run(ping, check=False).status != 0
    one.heal()
    wait_for("ping after healing", lambda: one.run(ping, check=False).status, lambda s: s == 0)


def test_machines_know_each_other_by_name_and_speak_ipv6(pair: tuple[Machine, Machine]) -> None:
    """Names resolve to addresses of the data network, which carries IPv6 too."""
    one, two = pair
    assert two.address in two.run(["getent", "hosts", "one", "two"]).stdout
    assert one.run(["ping", "-6", "-c", "1", two.address6]).status == 0


def test_a_killed_machine_forgets_and_a_persistent_one_remembers(lab: Lab) -> None:
    """Memory is lost with the power; only a persistent machine's synced files come back."""
    plain, kept = lab.machine("plain", start=False), lab.machine("kept", persistent=True, start=False)
    lab.start(plain, kept)
    for machine in (plain, kept):
        machine.put("/etc/note", "x")
        machine.put("/run/note", "x")
        machine.run("sync")
        machine.kill()
        with pytest.raises(MachineUnreachable, match="not running"):
            machine.run("true")
    lab.start(plain, kept)
    assert plain.run("ls /etc/note /run/note", check=False).stdout == ""
    assert kept.run("ls /etc/note /run/note", check=False).stdout == "/etc/note\n"


def test_a_command_in_flight_ends_when_its_machine_is_killed(lab: Lab) -> None:
    """Killing the machine under a command ends the command at once."""
    machine = lab.machine("victim")
    command = machine.spawn("sleep 1000")
    machine.kill()
    assert command.wait().status == 255


def test_a_machine_with_systemd_runs_units(lab: Lab) -> None:
    """A systemd machine comes up without failed units and starts services."""
    machine = lab.machine("full", init="systemd")
    assert machine.run("systemctl is-system-running").stdout == "running\n"
    machine.run("systemd-run --unit=once --property=Type=oneshot echo from a unit")
    assert "from a unit" in machine.run("journalctl --no-pager -u once").stdout


def test_an_ensemble_goes_on_when_its_leader_dies(lab: Lab) -> None:
    """Two of three servers elect a new leader that the host reaches, and the old one comes back."""
    ensemble = lab.ensemble(3)
    old = ensemble.leader
    old.kill()
    ensemble.wait(2)
    assert ensemble.leader is not old
    assert ensemble.leader.ask("ruok") == "imok"
    old.start()
    ensemble.wait(3)
    assert old in ensemble.followers


def test_a_paused_server_is_still_at_once(lab: Lab) -> None:
    """After `pause` returns no thread of the server runs, however busy the machine is; then it goes on."""
    (server,) = lab.ensemble().servers
    for _ in range(5):
        server.pause()
        assert server.ask("srvr", seconds=0.5) == ""
        server.resume()
        assert server.mode() == "standalone"


def test_a_cut_server_loses_the_others_and_comes_back(lab: Lab) -> None:
    """A server that is cut off doesn't answer; the rest serve, and it follows again when healed."""
    ensemble = lab.ensemble(3)
    server = ensemble.followers[0]
    server.cut()
    ensemble.wait(2)
    assert server.mode() == ""
    server.heal()
    ensemble.wait(3)


def _traces() -> tuple[str, str]:
    """Return the traces that a lab could leave on the host: named namespaces and mounts."""
    namespaces = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    return namespaces, Path("/proc/mounts").read_text()


def _processes_of(name: str) -> list[str]:
    """Return the command lines on this host that speak of the lab `name`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(states() / name).encode() in command:
            found.append(command.decode(errors="replace"))
    return found


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_after_a_lab(new_lab: NewLab, *, fails: bool) -> None:
    """After a lab has ended, well or not, its processes, mounts, links and files are gone."""
    before = _traces()
    try:
        with new_lab() as lab:
            lab.ensemble(1)
            lab.machine("n1", disks=[lab.disk("d")]).spawn("sleep 1000")
            state, holder = lab.state, lab.sandbox.pid
            # By its index: the name is the next lab's, which may be one of another layer.
            link = int(Path(f"/sys/class/net/{lab.network.host_link}/ifindex").read_text())
            if fails:
                raise RuntimeError("the test fails")  # noqa: TRY301
    except RuntimeError:
        assert fails
    assert _traces() == before
    assert not state.exists()
    assert link not in _links()
    assert not Path(f"/proc/{holder}").exists()
    assert _processes_of(state.name) == []


def _links() -> set[int]:
    """Return the indices of the host's network interfaces."""
    return {link["ifindex"] for link in json.loads(run(["ip", "-json", "link"]).stdout)}


_OWNER = """
import sys
from lab import Lab
with Lab(tree=None) as lab:
    lab.machine("n1")
    print(lab.name, lab.sandbox.pid, flush=True)
    sys.stdin.read()
"""


def test_a_lab_whose_owner_was_killed_is_reaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL of the owner ends the machines by itself; the next lab removes the files."""
    # A place of its own: a lab of another layer that begins just then would reap it first.
    monkeypatch.setenv("LUNMAPD_LAB_STATE", str(tmp_path))
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER], env={**os.environ, "PYTHONPATH": TESTS},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert owner.stdout is not None
    assert owner.stdin is not None
    name, holder = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    wait_for("the lab's first process", Path(f"/proc/{holder}").exists, lambda exists: not exists)
    wait_for("processes of the dead lab", lambda: _processes_of(name), lambda left: not left)
    assert name in reap()
    assert not (states() / name).exists()
