"""Behaviour that only a real kernel shows: sessions, kills in the middle, and when a mapping is writable."""

import json
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from contract import maps
from contract.implementations import PARALLEL, RealImplementation
from contract.maps import CLAIMS, IQN, TAG, converge, full, log_out, observed
from lab import Initiator, Machine, wait_for
from lab.wait import PATIENCE
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.observed import IscsiSession, Observed
from lunmapd.core.planning.hosts import Hosts, observe_hosts
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import Action, plan
from lunmapd.lio.worker import wire

pytestmark = pytest.mark.kernel


def test_a_mapping_is_read_only_until_it_is_written(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """The link of a mapping takes its TPG's prod_mode_write_protect: there is no instant of write access."""
    real.file("/srv/a", maps.SIZE)
    converge(real, full() | maps.only(maps.storage_object("a"), maps.lun("a")))
    tpg = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}"
    acl = f"{tpg}/acls/{maps.HOST}/lun_9"
    shown = pair[0].run(f"mkdir {acl}; ln -s {tpg}/lun/lun_0 {acl}/it; cat {acl}/write_protect")
    assert shown.stdout.strip() == "1"


def test_a_scsi_device_is_passed_through(pair: tuple[Machine, Initiator], real: RealImplementation) -> None:
    """A SCSI device of the node is exported unchanged, and recognised by its alias."""
    pair[0].run(
        "modprobe sd_mod; modprobe scsi_debug dev_size_mb=8; until [ -b /dev/sda ]; do sleep 0.1; done"
    )
    disk = lio_objects.StorageObject("scsi", "pscsi", "/dev/sda", 0, "5" * 32, (("emulate_pr", "0"),))
    converge(real, full() | maps.only(disk, maps.lun("scsi"), maps.mapped("scsi", 0)))
    converge(real, {})


def test_a_group_that_was_altered_by_hand_is_put_right(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """Initiators can't set an ALUA state, and the kernel adds no delay to its answers.

    Each edit is put right in place: a group that was made anew would open a closed path for a moment.
    """
    real.file("/srv/a", maps.SIZE)
    wanted = full("a") | maps.only(*maps.grouped("a", Alua(TAG, AluaState.NON_OPTIMIZED)))
    converge(real, wanted)
    group = "/sys/kernel/config/target/core/fileio_*/a/alua/lunmapd"
    names = ("alua_access_type", "nonop_delay_msecs", "alua_access_state")
    show = "cat " + " ".join(f"{group}/{name}" for name in names)
    was = pair[0].run(show).stdout
    for value, name in (("3", names[0]), ("100", names[1]), ("14", names[2]), ("15", names[2])):
        pair[0].run(f"echo {value} >{group}/{name}")
        assert pair[0].run(show).stdout != was
        assert [step.action for step in plan(wanted, maps.observed(real))] == [Action.UPDATE]
        converge(real, wanted)
        assert pair[0].run(show).stdout == was


def test_a_state_whose_support_was_cleared_is_set(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """The kernel refuses a state without its support bit, so the bit is set with the state."""
    real.file("/srv/a", maps.SIZE)
    groups = {state: maps.grouped("a", Alua(TAG, state)) for state in AluaState}
    converge(real, full("a") | maps.only(*groups[AluaState.OPTIMIZED]))
    pair[0].run(
        "for f in /sys/kernel/config/target/core/fileio_*/a/alua/lunmapd/alua_support_*; do echo 0 >$f; done"
    )
    for state in (*reversed(AluaState), *AluaState):
        converge(real, full("a") | maps.only(*groups[state]))


def test_what_was_put_beside_a_storage_object_is_seen(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """The link count of an HBA's configfs directory counts its storage objects.

    So an added object is noticed, but not one that replaces another.
    """
    real.file("/srv/a", maps.SIZE)
    converge(real, full("a"))
    hba = pair[0].run("echo /sys/kernel/config/target/core/fileio_*").stdout.strip()
    links = pair[0].run(f"stat -c %h {hba}; mkdir {hba}/b; stat -c %h {hba}").stdout.split()
    assert links == ["3", "4"]
    path = hba.removeprefix("/sys/kernel/config/target/")
    assert lio_objects.Leftover("storage_object", f"{path}/b") in observed(real).values()
    converge(real, {})
    pair[0].run(f"mkdir -p {hba}/c")
    assert set(observed(real).values()) == {lio_objects.Leftover("storage_object", f"{path}/c")}
    converge(real, {})


def test_luns_are_made_and_removed_side_by_side(pair: tuple[Machine, Initiator]) -> None:
    """Storage objects made in parallel get numbers of their own. A refused one is made in the next pass."""
    names, late = [f"lun{number}" for number in range(40)], ["late", "later", "last"]
    implementation = RealImplementation(pair[0], PARALLEL)
    pair[0].run(f"truncate -s {maps.SIZE} " + " ".join(f"/srv/{name}" for name in names + late))
    converge(implementation, full(*names))
    seen = observed(implementation)
    pair[0].run(f"mkdir /sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}/lun/lun_40")
    failed = failures_of(implementation.kernel.apply(plan(full(*names, *late), seen)))
    assert [failure.reason for failure in failed.values()] == ["KernelRefused", "Waiting"]
    assert {lio_objects.lun_served_by(item) for item in observed(implementation).values()} >= {
        *names,
        *late[1:],
    }
    converge(implementation, full(*names, *late))
    converge(implementation, {})
    implementation.close()


def test_a_tpg_that_was_opened_by_hand_is_closed_at_once(
    pair: tuple[Machine, Initiator], real: RealImplementation
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


def test_a_session_is_seen_with_its_address(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """A logged-in initiator is listed by name, state and address until it has logged out."""
    node, initiator = pair
    converge(real, maps.served(node.address))
    initiator.discover(node.address)
    initiator.login()
    session = IscsiSession(IQN, TAG, maps.HOST, "LOGGED_IN", initiator.machine.address, is_steady=True)
    wait_for("a login", lambda: _without_ids(real.kernel.observe(CLAIMS)), lambda seen: seen == (session,))
    initiator.logout()
    wait_for("a logout", lambda: real.kernel.observe(CLAIMS).sessions, lambda seen: seen == ())


def _without_ids(observed: Observed) -> tuple[IscsiSession, ...]:
    return tuple(structs.replace(each, isid="", number=0) for each in observed.sessions)


def test_only_a_logout_is_known_as_one(pair: tuple[Machine, Initiator], real: RealImplementation) -> None:
    """A host leaves when it logs out, not when its session ends otherwise: it keeps its devices then.

    The session that comes back has the same ISID. Discovery sessions are not counted.
    """
    node, initiator = pair
    converge(real, maps.served(node.address))
    hosts = observe_hosts(Hosts(), real.kernel.observe(CLAIMS))

    def may_hold() -> bool:
        nonlocal hosts
        hosts = observe_hosts(hosts, real.kernel.observe(CLAIMS))
        return hosts.may_hold(IQN, maps.HOST)

    def number() -> int:
        return max(
            (each.number for each in real.kernel.observe(CLAIMS).sessions if each.is_steady), default=0
        )

    enable = f"/sys/kernel/config/target/iscsi/{IQN}/tpgt_{TAG}/enable"
    initiator.discover(node.address)
    assert not may_hold()
    initiator.login()
    assert may_hold()
    (first,) = hosts.isids.values()
    for machine, ends in (
        (initiator.machine, "kill -9 $(pidof iscsid); iscsid"),
        (node, f"echo 0 >{enable}; echo 1 >{enable}"),
    ):
        before = number()
        machine.run(ends)
        assert may_hold(), ends
        wait_for(f"a new login after {ends}", number, before.__lt__)
        assert may_hold(), ends
    assert list(hosts.isids.values()) == [first]
    initiator.logout()
    wait_for("the host is known to be logged out", may_hold, lambda may: not may)


def test_a_lun_0_that_is_not_mapped_answers(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """LIO answers in place of the device and reads other data, so no path checker notices.

    Other numbers are refused.
    """
    node, initiator = pair
    names = ("a", "b", "c")
    for name in names:
        real.file(f"/srv/{name}", maps.SIZE)
    kept = [item for name in names for item in (maps.storage_object(name), maps.lun(name))]
    mapped = [maps.mapped(name, number) for number, name in enumerate(names)]
    converge(real, maps.served(node.address, *kept, *mapped))
    initiator.discover(node.address)
    initiator.login()
    disk = f"/dev/disk/by-path/ip-{node.address}:3260-iscsi-{IQN}-lun-"
    # udev names one after the other; where the name is not there yet, dd would make a file of it.
    named = f"[ -b {disk}0 ] && [ -b {disk}1 ]"
    write = f"{named} && head -c 4k /dev/urandom >/run/block && dd if=/run/block of={disk}0 oflag=direct conv=nocreat"
    wait_for("a write", lambda: initiator.machine.run(write, check=False).status, lambda status: status == 0)
    converge(real, maps.served(node.address, *kept, mapped[2]))
    read = f"dd of=/run/read bs=4k count=1 iflag=direct if={disk}"
    # TEST UNIT READY; sg_turs of sg3-utils 1.48 sends nothing. The device that answers in place of LUN 0 is
    # read-only, which the host notices when it looks at its disk again.
    ready = f"sg_raw --readonly {disk}$lun 00 00 00 00 00 00"
    told = f"for lun in 0 0 0 1 1 1; do {ready} >/dev/null 2>&1; done"
    initiator.machine.run(f"{told}; lun=0; {ready} && {read}0 && ! cmp -s /run/block /run/read")
    assert initiator.machine.run(f"{read}1", check=False).status != 0
    log_out(node, initiator)


def test_no_initiator_switches_a_lun_to_standby(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """SET TARGET PORT GROUPS for the kernel's own group is refused, but its state is still reported.

    A storage object of which it was accepted before is repaired while it is in use.
    """
    node, initiator = pair
    real.file("/srv/a", maps.SIZE)
    wanted = maps.served(node.address, maps.storage_object("a"), maps.lun("a"), maps.mapped("a", 0))
    converge(real, wanted)
    initiator.discover(node.address)
    initiator.login()
    disk = f"/dev/disk/by-path/ip-{node.address}:3260-iscsi-{IQN}-lun-0"
    named = f"[ -b {disk} ]"
    wait_for("a disk", lambda: initiator.machine.run(named, check=False).status, lambda status: status == 0)
    standby = f"sg_stpg --tp=0 --state=s {disk}"
    assert "Invalid opcode" in initiator.machine.run(standby, check=False).stderr
    assert "TPGS=1" in initiator.machine.run(f"sg_inq {disk}").stdout
    assert "active/optimized" in initiator.machine.run(f"sg_rtpg -d {disk}").stdout
    group = "/sys/kernel/config/target/core/fileio_*/a/alua/default_tg_pt_gp"
    show = f"cat {group}/alua_access_state"
    node.run(f"echo 3 >{group}/alua_access_type")
    initiator.machine.run(standby)
    assert node.run(show).stdout.strip() == "2"
    converge(real, wanted)
    assert node.run(show).stdout.strip() == "0"
    # The first command gets the unit attention of the change.
    told = "|| ".join([f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct "] * 2)
    initiator.machine.run(told)
    assert "Invalid opcode" in initiator.machine.run(standby, check=False).stderr
    log_out(node, initiator)


def test_a_kill_at_any_operation_is_put_right(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """Killed before any single change of configfs, the next pass leaves nothing to do."""
    for name in ("a", "b", "c"):
        real.file(f"/srv/{name}", 2 * maps.SIZE)
    kinds = (maps.block("slow", maps.SLOW), maps.lun("slow"), maps.mapped("slow", 9, read_only=True))
    first = full("a", "b") | maps.only(*kinds, maps.secret(maps.ACL))
    second = full("a", "c") | maps.only(
        maps.given(maps.storage_object("a", 2 * maps.SIZE), vendor="ACME", emulate_tpu=1),
        maps.mapped("c", 5, "iqn.2020-01.org.example:other"),
        lio_objects.NodeAcl(IQN, TAG, "iqn.2020-01.org.example:other"),
        lio_objects.Enabled(IQN, TAG, 7),
    )
    states = [
        wire.ObservedAnswer(tuple(state.values()), tuple(CLAIMS), (), ()) for state in ({}, first, second, {})
    ]
    script = Path(__file__).with_name("crash_guest.py").read_text(encoding="utf-8")
    pair[0].put("/run/crash.py", script)
    done = pair[0].run(
        "python3 -W ignore /run/crash.py", input=msgspec.json.encode(states), timeout=8 * PATIENCE
    )
    kills = json.loads(done.stdout)
    assert min(kills) > 20, kills
