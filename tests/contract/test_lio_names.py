"""Names and identifiers on a real kernel: directories with other spellings, long serials, long products."""

import pytest

from contract import maps
from contract.implementations import RealImplementation
from contract.maps import CLAIMS, HOST, IQN, TAG, converge, files, log_out
from lab import Initiator, Machine, wait_for
from lunmapd.core.base.names import check_serial, check_serial_length, naa
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import plan

pytestmark = pytest.mark.kernel

TPG = f"iscsi/{IQN}/tpgt_{TAG}"
ROOT = "/sys/kernel/config/target"


@pytest.mark.parametrize(
    "made",
    [
        f"{TPG}/lun/lun_01",
        f"{TPG}/lun/lun_+1",
        f"{TPG}/acls/{HOST}/lun_01",
        f"{TPG}/acls/{HOST}/lun_0x1",
        f"iscsi/{IQN}/tpgt_0{TAG}",
    ],
)
def test_a_directory_with_another_spelling_changes_nothing(
    pair: tuple[Machine, Initiator], real: RealImplementation, made: str
) -> None:
    """The kernel gives it the number of the directory that is there; it is reported and left alone."""
    files(real, "a", "b")
    desired = maps.served(pair[0].address, *_lun("a", 0), *_lun("b", 1))
    converge(real, desired)
    pair[0].run(f"mkdir '{ROOT}/{made}'")
    observed = real.kernel.observe(CLAIMS)
    assert plan(desired, observed.objects) == ()
    assert observed.misspelled == {made}
    pair[0].run(f"rmdir '{ROOT}/{made}'")
    assert real.kernel.observe(CLAIMS).misspelled == frozenset()


def _lun(name: str, number: int) -> tuple[lio_objects.DesiredObject, ...]:
    return maps.storage_object(name), *_exported(name, number)


def test_serials_are_shown_as_they_are_written(
    pair: tuple[Machine, Initiator], real: RealImplementation
) -> None:
    """A serial in capitals of 8 digits is in INQUIRY as it is written, and its WWID is filled with zeros.

    One at the limit of the rule leaves the product whole, and the target port group behind it.
    """
    node, initiator = pair
    product = "A product of 16."
    serial, short = "ab" * 114 + "c", "1A2B-3C4D"
    assert check_serial_length(serial, product) is None
    assert check_serial(short) is None
    files(real, "a", "b")
    items = (
        maps.given(maps.storage_object("a", serial=serial), product=product),
        maps.storage_object("b", serial=short),
    )
    converge(real, maps.served(node.address, *items, *_exported("a", 0), *_exported("b", 1)))
    initiator.discover(node.address)
    initiator.login(IQN)
    shown, other = (_shown(initiator, node, number) for number in (0, 1))
    log_out(node, initiator)
    assert f"Product identification: {product}" in shown
    assert "Target port group: 0x0" in shown
    assert f"Product serial number: {short}\n" in other
    assert f"0x{naa(short)}" in other


def _exported(name: str, number: int) -> tuple[lio_objects.DesiredObject, ...]:
    return maps.lun(name), maps.mapped(name, number)


def _shown(initiator: Initiator, node: Machine, number: int) -> str:
    """Return INQUIRY and the designators of a LUN, once the host has it."""
    disk = f"/dev/disk/by-path/ip-{node.address}:3260-iscsi-{IQN}-lun-{number}"
    return wait_for(
        "the disk",
        lambda: (
            initiator.machine.run(
                f"sg_inq {disk} && sg_vpd --page=sn {disk} && sg_vpd --page=di {disk}", check=False
            ).stdout
        ),
        lambda text: "Target port group: " in text,
    )
