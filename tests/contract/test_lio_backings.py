"""The fake LIO and the kernel: files and devices that are not, or no longer, as LIO has opened them."""

import time

import pytest
from msgspec.structs import replace

from contract import maps
from contract.implementations import HOT, Implementation, RealImplementation
from contract.maps import CLAIMS, SIZE, attempt, converge, files, full, observed, only
from lab import Machine, wait_for
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.backing_reads import Pace, find_reads
from lunmapd.core.node.opening import ANY_ACCESS, Opened
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import Action, Step, plan
from lunmapd.lio.worker.reader_process import ReaderProcess
from lunmapd.service.daemon.backing_watch import BackingWatch, watched_backings

LOOP, LOOP2 = "/dev/loop1", "/dev/loop2"
NAME = "/dev/disk/lab/name"
DISK = maps.block("disk", LOOP)
READ = replace(DISK, access=ANY_ACCESS)


def facts(implementation: Implementation, name: str) -> BackingFacts:
    """Return the facts about the backing of a storage object."""
    return implementation.kernel.observe(CLAIMS).backings[name]


def opened(implementation: Implementation, name: str) -> Opened:
    """Return what the storage object has opened, compared with its path."""
    item = observed(implementation)["storage_object", name]
    assert isinstance(item, lio_objects.StorageObject)
    return item.opened


def test_a_replaced_file_is_found(implementation: Implementation) -> None:
    """A file that took the name of an exported one is another file, also for a new worker."""
    files(implementation, "a", "b")
    wanted = full("a", "b")
    converge(implementation, wanted)
    implementation.replace("/srv/a")
    item = wanted["storage_object", "a"]
    assert implementation.kernel.observe_some([item]) is None
    assert facts(implementation, "a").name == "replaced"
    assert opened(implementation, "a") == "other"
    assert opened(implementation, "b") == "current"
    implementation.crash_during(Step(Action.CREATE, maps.mapped("c", 9), "try"))
    assert facts(implementation, "a").name == "replaced"
    steps = plan(wanted, observed(implementation))
    assert [step.action for step in steps] == [*[Action.DELETE] * 3, *[Action.CREATE] * 3]
    converge(implementation, wanted)
    assert facts(implementation, "a").name == "same"


def test_a_mark_outlives_changes_in_place(implementation: Implementation) -> None:
    """Changes of attributes and size keep the record of the opened file."""
    implementation.file("/srv/a", 2 * SIZE)
    converge(implementation, full("a"))
    bigger = maps.given(maps.storage_object("a", 2 * SIZE), emulate_tpu=1)
    converge(implementation, full("a") | only(bigger))
    converge(implementation, full("a") | only(maps.storage_object("a", 2 * SIZE)))
    implementation.replace("/srv/a")
    assert facts(implementation, "a").name == "replaced"


@pytest.mark.parametrize("size", [SIZE - 512, 0])
def test_a_file_that_becomes_shorter_is_found(implementation: Implementation, size: int) -> None:
    """The kernel still shows the size of the Lun; the observation has that of the file."""
    files(implementation, "a")
    converge(implementation, full("a"))
    implementation.file("/srv/a", size)
    assert (facts(implementation, "a").name, facts(implementation, "a").size) == ("same", size)
    assert observed(implementation) == full("a")


@pytest.mark.parametrize("how", ["symlink", "hard link"])
def test_a_file_is_exported_once(implementation: Implementation, how: str) -> None:
    """A file that a storage object has is refused under another name, until that one is gone."""
    files(implementation, "a")
    implementation.alias("/srv/a", "/srv/b", how)
    converge(implementation, only(maps.storage_object("a")))
    assert attempt(implementation, Action.CREATE, maps.storage_object("b")) == "InUse"
    observed(implementation)
    assert attempt(implementation, Action.CREATE, maps.storage_object("b")) == "InUse"
    assert attempt(implementation, Action.DELETE, maps.storage_object("a")) is None
    converge(implementation, only(maps.storage_object("b")))


def test_a_read_only_device_is_opened_for_reading(implementation: Implementation) -> None:
    """A read-only device is served if nobody may write to it, and refused otherwise."""
    implementation.device(LOOP, SIZE, read_only=True)
    assert attempt(implementation, Action.CREATE, DISK) == "BackingReadOnly"
    converge(implementation, only(READ))
    item = observed(implementation)["storage_object", "disk"]
    assert isinstance(item, lio_objects.StorageObject)
    assert (item.access.mode, facts(implementation, "disk").read_only) == ("read-only", True)
    implementation.device(LOOP, SIZE)
    assert not plan(only(READ), observed(implementation))
    assert [step.action for step in plan(only(DISK), observed(implementation))] == ["delete", "create"]
    converge(implementation, only(DISK))
    item = observed(implementation)["storage_object", "disk"]
    assert isinstance(item, lio_objects.StorageObject)
    assert item.access.mode == "writable"


def test_a_device_that_becomes_read_only_is_found(implementation: Implementation) -> None:
    """The kernel keeps the device open for writing; every observation shows that it takes no writes."""
    implementation.device(LOOP, SIZE)
    converge(implementation, only(DISK))
    assert not facts(implementation, "disk").read_only
    implementation.device(LOOP, SIZE, read_only=True)
    some = implementation.kernel.observe_some([DISK])
    assert some is not None
    assert some.backings == {"disk": facts(implementation, "disk")}
    assert some.backings["disk"].read_only
    assert not plan(only(DISK), observed(implementation))


def test_a_block_size_below_that_of_the_device_is_refused(implementation: Implementation) -> None:
    """LIO would take 512 bytes on a device with blocks of 4096, and the device would refuse the writes."""
    implementation.device(LOOP, SIZE, 4096)
    small, right = maps.given(DISK, block_size=512), maps.given(DISK, block_size=4096)
    assert attempt(implementation, Action.CREATE, small) == "BlockSizeMismatch"
    converge(implementation, only(right))
    assert facts(implementation, "disk").block_size == 4096
    implementation.device(LOOP2, SIZE)
    converge(implementation, only(maps.given(maps.block("disk", LOOP2), block_size=4096)))


def test_a_block_size_that_does_not_divide_the_size_is_refused(implementation: Implementation) -> None:
    """LIO would show a last block whose end the device does not have."""
    implementation.device(LOOP, SIZE + 512)
    large = maps.given(DISK, block_size=4096)
    assert attempt(implementation, Action.CREATE, large) == "BlockSizeMismatch"
    converge(implementation, only(maps.given(DISK, block_size=512)))


def test_a_device_without_content_is_refused(implementation: Implementation) -> None:
    """A loop device without a file, or a drive without a medium, has 0 bytes; with more it is served."""
    implementation.device(LOOP, 0)
    assert attempt(implementation, Action.CREATE, DISK) == "BackingUnusable"
    implementation.device(LOOP, SIZE)
    converge(implementation, only(DISK))
    implementation.device(LOOP, 0)
    assert facts(implementation, "disk").size == 0


def test_a_device_that_shrinks_is_found(implementation: Implementation) -> None:
    """The observation compares the size of a device with that when it was opened; growing is no fault."""
    implementation.device(LOOP, 2 * SIZE)
    converge(implementation, only(DISK))
    implementation.device(LOOP, 3 * SIZE)
    assert (facts(implementation, "disk").size, facts(implementation, "disk").shrunk_from) == (3 * SIZE, 0)
    implementation.device(LOOP, SIZE)
    assert (facts(implementation, "disk").size, facts(implementation, "disk").shrunk_from) == (SIZE, 2 * SIZE)


def test_a_name_that_leads_to_another_live_device_is_found(implementation: Implementation) -> None:
    """While the opened device is there, another device under its name is other data."""
    implementation.device(LOOP, SIZE)
    implementation.device(LOOP2, SIZE)
    implementation.lead(NAME, LOOP)
    item = maps.block("disk", NAME)
    converge(implementation, only(item))
    assert facts(implementation, "disk").name == "same"
    implementation.lead(NAME, LOOP2)
    assert facts(implementation, "disk").name == "replaced"
    assert opened(implementation, "disk") == "other"
    implementation.lead(NAME, LOOP)
    assert facts(implementation, "disk").name == "same"


@pytest.mark.parametrize("item", [maps.block("disk", HOT), maps.scsi("disk", HOT)], ids=["iblock", "pscsi"])
def test_a_disk_that_returns_is_opened_again(
    implementation: Implementation, item: lio_objects.StorageObject
) -> None:
    """A disk that was pulled comes back under other numbers. The dead one is replaced by one pass."""
    implementation.plug(HOT)
    converge(implementation, only(item))
    assert facts(implementation, "disk").name == "same"
    implementation.pull(HOT)
    assert facts(implementation, "disk").name == "missing"
    assert not plan(only(item), observed(implementation))
    implementation.plug(HOT)
    assert facts(implementation, "disk").name == "returned"
    assert opened(implementation, "disk") == "gone"
    converge(implementation, only(item))
    assert facts(implementation, "disk").name == "same"


DEAD = """
modprobe -a loop dm_mod
truncate -s 32M /run/dead
losetup /dev/loop6 /run/dead
DM_DISABLE_UDEV=1 dmsetup create dead --table "0 $(blockdev --getsz /dev/loop6) linear /dev/loop6 0"
mkfs.ext4 -q /dev/mapper/dead
mkdir -p /mnt/dead
mount /dev/mapper/dead /mnt/dead
mkdir /mnt/dead/d /mnt/dead/e
truncate -s 1M /mnt/dead/d/a
ln /mnt/dead/d/a /mnt/dead/e/a
ln -sfn /mnt/dead/d /run/link
umount /mnt/dead
mount -o noatime /dev/mapper/dead /mnt/dead
"""
BURIED = "umount /mnt/dead; DM_DISABLE_UDEV=1 dmsetup remove dead; losetup -d /dev/loop6; rm /run/dead"


@pytest.mark.kernel
def test_a_file_system_that_does_not_answer_is_no_obstacle(machine: Machine) -> None:
    """A stat that hangs in the kernel is left behind; the observation goes on, and does not try again.

    Directories that were looked up stay in memory, so the path is led to the same file in another one.
    """
    implementation = RealImplementation(machine)
    machine.run(DEAD)
    files(implementation, "b")
    dead = replace(maps.storage_object("a"), path="/run/link/a")
    wanted = full("b") | only(dead)
    converge(implementation, wanted)
    machine.run("dmsetup suspend --nolockfs dead; ln -sfn /mnt/dead/e /run/link")
    for seconds in (10.0, 2.0):
        began = time.monotonic()
        found = implementation.kernel.observe(CLAIMS)
        assert time.monotonic() - began < seconds
        assert found.objects == wanted
        assert [found.backings[name].name for name in ("a", "b")] == ["unanswered", "same"]
    machine.run("dmsetup resume dead")
    wait_for("an answer", lambda: facts(implementation, "a").name, lambda name: name == "same")
    converge(implementation, {})
    implementation.close()
    machine.run(BURIED)


LINK = """
lun=/sys/kernel/config/target/loopback/naa.6001405000000001/tpgt_1/lun/lun_0
mkdir -p /sys/kernel/config/target/loopback $lun
ln -s /sys/kernel/config/target/core/fileio_*/a $lun/other
"""
UNLINK = """
cd /sys/kernel/config/target/loopback/naa.6001405000000001
rm tpgt_1/lun/lun_0/other
rmdir tpgt_1/lun/lun_0 tpgt_1
cd ..
rmdir naa.6001405000000001
cd ..
rmdir loopback
"""


@pytest.mark.kernel
def test_what_uses_a_backing_is_named(machine: Machine) -> None:
    """A device that is made of the disk, and the LUN of another fabric, are in the message."""
    implementation = RealImplementation(machine)
    implementation.device(LOOP, SIZE)
    machine.run(f"modprobe dm_mod; DM_DISABLE_UDEV=1 dmsetup create upper --table '0 2048 linear {LOOP} 0'")
    assert f"{LOOP} is in use by dm-0 (upper): release it there" in why(implementation, only(DISK))
    machine.run("DM_DISABLE_UDEV=1 dmsetup remove upper")
    files(implementation, "a")
    converge(implementation, only(maps.storage_object("a")))
    machine.run(LINK)
    lun = "loopback/naa.6001405000000001/tpgt_1/lun/lun_0"
    assert f"a is still exported by {lun}: remove it" in why(implementation, {})
    machine.run(UNLINK)
    converge(implementation, {})
    implementation.close()


def why(implementation: Implementation, desired: lio_objects.DesiredObjects) -> str:
    """Return the messages of a pass in which something is in use."""
    failed = failures_of(maps.apply(implementation, desired)).values()
    assert {failure.reason for failure in failed} == {"InUse"}
    return "; ".join(failure.message for failure in failed)


MIRROR = """
modprobe -a loop dm_mod
truncate -s 8M /run/mirror
losetup /dev/loop7 /run/mirror
DM_DISABLE_UDEV=1 dmsetup create mirror --table "0 16384 linear /dev/loop7 0"
"""
WHOLE, HALF = "0 16384 linear /dev/loop7 0", "0 16376 linear /dev/loop7 0\\n16376 8 error"
LOAD = "printf '{}\\n' | DM_DISABLE_UDEV=1 dmsetup reload mirror; dmsetup resume mirror"
READER = "exec python3 -m lunmapd.lio.worker.reader"
WAITING = "cat /proc/$(pgrep -f '[l]unmapd.lio.worker.reader')/task/*/status | grep -c '^State:.D'"


@pytest.mark.kernel
def test_a_device_that_can_not_be_read_is_found(machine: Machine) -> None:
    """LIO has it open for itself. An error and a hang are found and end, cost no other Lun, and one read."""
    implementation = RealImplementation(machine)
    machine.run(MIRROR)
    files(implementation, "a")
    converge(implementation, only(maps.block("mirror", "/dev/mapper/mirror"), maps.storage_object("a")))
    watch = BackingWatch(
        lambda: None,
        Pace(interval=0.1, confirm=0.1, patience=1.0),
        lambda: ReaderProcess(machine.ssh.command(script=READER)),
    )
    with watched_backings(watch):
        watch.check(find_reads(implementation.kernel.observe(CLAIMS)))
        machine.run(LOAD.format(HALF))
        wait_for("an error", lambda: read_problems(watch), lambda found: "last block: Input/output" in found)
        assert read_problems(watch).startswith("mirror: BackingUnreadable")
        machine.run(LOAD.format(WHOLE))
        wait_for("its end", lambda: read_problems(watch), lambda found: not found)
        machine.run("dmsetup suspend --nolockfs --noflush mirror")
        wait_for("a hang", lambda: read_problems(watch), lambda found: "mirror: BackingHangs" in found)
        assert machine.run(WAITING).stdout.strip() == "1"
        machine.run("dmsetup resume mirror")
        wait_for("its end", lambda: read_problems(watch), lambda found: not found)
    converge(implementation, {})
    implementation.close()
    machine.run("DM_DISABLE_UDEV=1 dmsetup remove mirror; losetup -d /dev/loop7; rm /run/mirror")


def read_problems(watch: BackingWatch) -> str:
    """Return the problems of reading, one a line."""
    return "\n".join(f"{lun}: {why.reason}: {why.message}" for lun, why in watch.problems().items())
