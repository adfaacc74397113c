"""What only a real kernel can show: sessions, hanging I/O, and the instant at which a mapping becomes writable."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contract import maps
from contract.maps import CLAIMS, IQN, TAG, converge, full, observed
from contract.sides import SIDE_BY_SIDE, RealSide
from lab import Initiator, Lab, Machine, wait_for
from lab.pytest_plugin import NewLab
from lunmapd.core import lio
from lunmapd.core.lunmap import AluaState
from lunmapd.core.observed import Session
from lunmapd.core.outcome import failures
from lunmapd.core.plan import plan
from lunmapd.lio import wire

pytestmark = pytest.mark.lab
_SLOW = "/dev/mapper/slow"


@pytest.fixture(scope="module")
def pair(new_lab: NewLab) -> Iterator[tuple[Machine, Initiator]]:
    """Return a storage node with a device that can be suspended, and an initiator."""
    with new_lab() as lab:
        node, initiator = _boot(lab)
        yield node, initiator
        initiator.machine.kill()
        node.kill()


@pytest.fixture
def real(pair: tuple[Machine, Initiator]) -> Iterator[RealSide]:
    """Return the node's LIO with nothing configured."""
    side = RealSide(pair[0])
    yield side
    side.close()


def _boot(lab: Lab) -> tuple[Machine, Initiator]:
    modules = ("target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod", "dm_mod")
    node = lab.machine("node", disks=[lab.disk("d1")], modules=modules, start=False)
    initiator = lab.initiator("client", maps.HOST, start=False)
    lab.start(node, initiator)
    node.run(
        'DM_DISABLE_UDEV=1 dmsetup create slow --table "0 $(blockdev --getsz /dev/disk/lab/d1) linear /dev/disk/lab/d1 0"'
    )
    return node, initiator


def _served(node: Machine, *items: lio.Object) -> dict[lio.Key, lio.Object]:
    """Return a target on the node's own address."""
    whole = {name: item for name, item in full().items() if not isinstance(item, lio.Portal)}
    return whole | maps.only(lio.Portal(IQN, TAG, f"{node.address}:3260"), *items)


def test_a_mapping_is_read_only_until_it_is_written(pair: tuple[Machine, Initiator], real: RealSide) -> None:
    """The link of a mapping takes its TPG's prod_mode_write_protect: there is no instant of write access."""
    real.file("/srv/a", maps.SIZE)
    converge(real, full() | maps.only(maps.storage_object("a"), maps.lun("a")))
    tpg = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}"
    acl = f"{tpg}/acls/{maps.HOST}/lun_9"
    shown = pair[0].run(f"mkdir {acl}; ln -s {tpg}/lun/lun_0 {acl}/it; cat {acl}/write_protect")
    assert shown.stdout.strip() == "1"


def test_a_scsi_device_is_passed_through(pair: tuple[Machine, Initiator], real: RealSide) -> None:
    """A SCSI device of the node is exported as it is, and known again by what is noted on it."""
    pair[0].run(
        "modprobe sd_mod; modprobe scsi_debug dev_size_mb=8; until [ -b /dev/sda ]; do sleep 0.1; done"
    )
    disk = lio.StorageObject("scsi", "pscsi", "/dev/sda", 0, "5" * 32, (("emulate_pr", "0"),))
    converge(real, full() | maps.only(disk, maps.lun("scsi"), maps.mapped("scsi", 0)))
    converge(real, {})


def test_a_group_that_was_altered_by_hand_is_put_right(
    pair: tuple[Machine, Initiator], real: RealSide
) -> None:
    """Neither may an initiator set a state that one node alone would know, nor does the kernel answer late."""
    real.file("/srv/a", maps.SIZE)
    wanted = full("a") | maps.only(*maps.grouped("a", lio.Alua(TAG, AluaState.NON_OPTIMIZED)))
    converge(real, wanted)
    group = "/sys/kernel/config/target/core/fileio_*/a/alua/lunmapd"
    show = f"cat {group}/alua_access_type {group}/nonop_delay_msecs"
    was = pair[0].run(show).stdout
    for edit in (f"echo 3 >{group}/alua_access_type", f"echo 100 >{group}/nonop_delay_msecs"):
        pair[0].run(edit)
        assert pair[0].run(show).stdout != was
        converge(real, wanted)
        assert pair[0].run(show).stdout == was


def test_luns_are_made_and_removed_side_by_side(pair: tuple[Machine, Initiator]) -> None:
    """Many at a time get numbers of their own; one that the kernel refuses costs itself only, and is made in the next pass."""
    names, late = [f"lun{number}" for number in range(40)], ["late", "later", "last"]
    side = RealSide(pair[0], SIDE_BY_SIDE)
    pair[0].run(f"truncate -s {maps.SIZE} " + " ".join(f"/srv/{name}" for name in names + late))
    converge(side, full(*names))
    seen = observed(side)
    pair[0].run(f"mkdir /sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}/lun/lun_40")
    failed = failures(side.kernel.apply(plan(full(*names, *late), seen)))
    assert [failure.reason for failure in failed.values()] == ["KernelRefused", "Waiting"]
    assert {lio.lun_of(item) for item in observed(side).values()} >= {*names, *late[1:]}
    converge(side, full(*names, *late))
    converge(side, {})
    side.close()


def test_a_tpg_that_was_opened_by_hand_is_closed_at_once(
    pair: tuple[Machine, Initiator], real: RealSide
) -> None:
    """The kernel turns cache_dynamic_acls on with generate_node_acls, and leaves it on as long as that is."""
    wanted = full()
    converge(real, wanted)
    tpg = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}/attrib"
    show = f"cat {tpg}/cache_dynamic_acls {tpg}/generate_node_acls"
    shown = pair[0].run(f"echo 1 >{tpg}/generate_node_acls; {show}").stdout.split()
    assert shown == ["1", "1"]
    converge(real, wanted)
    assert pair[0].run(show).stdout.split() == ["0", "0"]


def test_a_session_is_seen_with_its_address(pair: tuple[Machine, Initiator], real: RealSide) -> None:
    """An initiator that logs in is told by name, state and address, and no longer when it has gone."""
    node, initiator = pair
    converge(real, _served(node))
    initiator.discover(node.address)
    initiator.login()
    session = Session(IQN, TAG, maps.HOST, "LOGGED_IN", initiator.machine.address)
    assert real.kernel.observe(CLAIMS).sessions == (session,)
    initiator.logout()
    assert real.kernel.observe(CLAIMS).sessions == ()


def test_a_lun_whose_io_hangs_costs_itself_only(pair: tuple[Machine, Initiator], real: RealSide) -> None:
    """Its removal waits in the kernel; another LUN is added meanwhile; when the I/O goes on, so does the removal."""
    node, initiator = pair
    real.file("/srv/new", maps.SIZE)
    slow = (maps.block("slow", _SLOW), maps.lun("slow"), maps.mapped("slow", 0))
    converge(real, _served(node, *slow))
    initiator.discover(node.address)
    initiator.login()
    _hang_io(node, initiator)
    script = Path(__file__).with_name("hang_guest.py").read_text(encoding="utf-8")
    found = json.loads(node.run("python3 - /srv/new", input=script, timeout=120.0).stdout)
    removal, disk = lio.show_key(lio.key(maps.lun("slow"))), "storage_object slow"
    for pass_ in ("first", "second"):
        assert {name: reason for name, (reason, _) in found[pass_].items()} == {
            removal: "Stuck",
            disk: "Waiting",
        }
    assert "waits in" in found["first"][removal][1]
    assert (found["last"], found["left"]) == ({}, [])
    initiator.logout()


def _hang_io(node: Machine, initiator: Initiator) -> None:
    """Suspend the device and let the initiator read from it."""

    def shown(path: str) -> str:
        return " ".join(initiator.machine.run(f"cat {path} || true").stdout.split())

    flying = "/sys/block/sda/inflight"
    wait_for(lambda: shown(flying), lambda text: text == "0 0", 20.0, "a quiet disk")
    node.run("dmsetup suspend --noflush slow")
    reading = "dd if=/dev/sda of=/dev/null bs=4k count=1 iflag=direct skip=9"
    initiator.machine.run(f"setsid {reading} </dev/null >/dev/null 2>&1 &")
    wait_for(lambda: shown(flying), lambda text: text != "0 0", 20.0, "I/O in flight")


def test_a_kill_at_any_operation_is_put_right(pair: tuple[Machine, Initiator], real: RealSide) -> None:
    """Killed before each single change of configfs, while making, changing or removing a map, the next pass leaves nothing to do."""
    for name in ("a", "b", "c"):
        real.file(f"/srv/{name}", 2 * maps.SIZE)
    kinds = (maps.block("slow", _SLOW), maps.lun("slow"), maps.mapped("slow", 9, read_only=True))
    first = full("a", "b") | maps.only(*kinds, maps.secret(maps.ACL))
    second = full("a", "c") | maps.only(
        maps.given(maps.storage_object("a", 2 * maps.SIZE), vendor="ACME", emulate_tpu=1),
        maps.mapped("c", 5, "iqn.2020-01.org.example:other"),
        lio.NodeAcl(IQN, TAG, "iqn.2020-01.org.example:other"),
        lio.Enabled(IQN, TAG, 7),
    )
    states = [wire.Seen(tuple(state.values()), tuple(CLAIMS), (), ()) for state in ({}, first, second, {})]
    script = Path(__file__).with_name("crash_guest.py").read_text(encoding="utf-8")
    pair[0].put("/run/crash.py", script)
    done = pair[0].run("python3 -W ignore /run/crash.py", input=msgspec.json.encode(states), timeout=240.0)
    kills = json.loads(done.stdout)
    assert min(kills) > 20, kills
