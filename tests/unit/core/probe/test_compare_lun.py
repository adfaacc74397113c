"""How a LUN differs from what the map promises."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.probe.answers import LunAnswer
from lunmapd.core.probe.compare_lun import compare_lun
from lunmapd.core.probe.promise import PromisedLun
from lunmapd.core.probe.scsi import ALUA_STANDBY, Capacity, DeviceId, Inquiry, PortGroup, Sense
from support.probing import kept_lun

PROMISED = PromisedLun(
    lun="db1",
    number=1,
    serial="3f",
    naa="6001405",
    vendor="LIO-ORG",
    product="IBLOCK",
    size=1 << 20,
    block_size=512,
    state=AluaState.NON_OPTIMIZED,
    group=2,
    read_only=True,
)
KEPT = kept_lun(PROMISED)


def differences(promised: PromisedLun, answer: LunAnswer) -> list[tuple[str, str]]:
    """Return the differences."""
    return [(reason.value, message) for reason, message in compare_lun(promised, answer)]


@pytest.mark.parametrize("state", [None, *AluaState])
def test_a_kept_promise(state: AluaState | None) -> None:
    """There is no difference in any state that a map can give; nor is there without any answer."""
    promised = replace(PROMISED, state=state)
    assert differences(promised, kept_lun(promised)) == []
    assert differences(promised, LunAnswer()) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            replace(KEPT, inquiry=Inquiry(connected=False, vendor="LIO-ORG", product="IBLOCK")),
            ("NoDevice", "the LUN number leads to no device"),
        ),
        (
            replace(KEPT, not_ready=Sense(2, ALUA_STANDBY)),
            ("NotReady", "it is not ready (sense 2/04/0b), the map makes it ready"),
        ),
        (replace(KEPT, serial="4f"), ("IdentityDiffers", "its serial is '4f', the map's '3f'")),
        (
            replace(KEPT, device_id=DeviceId(("6001406",), 1, 2)),
            ("IdentityDiffers", "its NAA identifier is '6001406', the map's '6001405'"),
        ),
        (
            replace(KEPT, device_id=DeviceId((), 1, 2)),
            ("IdentityDiffers", "its NAA identifier is '', the map's '6001405'"),
        ),
        (
            replace(KEPT, inquiry=Inquiry(connected=True, vendor="ACME", product="IBLOCK")),
            ("IdentityDiffers", "its vendor is 'ACME', the map's 'LIO-ORG'"),
        ),
        (
            replace(KEPT, inquiry=Inquiry(connected=True, vendor="LIO-ORG", product="FILEIO")),
            ("IdentityDiffers", "its product is 'FILEIO', the map's 'IBLOCK'"),
        ),
        (
            replace(KEPT, capacity=Capacity(1024, 512)),
            ("SizeDiffers", "it has 524288 bytes, the map 1048576"),
        ),
        (
            replace(KEPT, capacity=Capacity(4096, 512)),
            ("SizeDiffers", "it has 2097152 bytes, the map 1048576"),
        ),
        (
            replace(KEPT, capacity=Capacity(256, 4096)),
            ("BlockSizeDiffers", "its blocks have 4096 bytes, the map's 512"),
        ),
        (
            replace(KEPT, device_id=DeviceId(("6001405",), 1, 3)),
            ("AluaDiffers", "this path is in target port group 3, the map's is 2"),
        ),
        (
            replace(KEPT, device_id=DeviceId(("6001405",), 1, None)),
            ("AluaDiffers", "this path is in target port group none, the map's is 2"),
        ),
        (
            replace(KEPT, port_groups={2: PortGroup(AluaState.OPTIMIZED, preferred=True)}),
            ("AluaDiffers", "the path is optimized, preferred, the map makes it non-optimized"),
        ),
        (
            replace(KEPT, port_groups={2: PortGroup(None, preferred=False)}),
            ("AluaDiffers", "the path is in a state that no map gives, the map makes it non-optimized"),
        ),
        (
            replace(KEPT, port_groups={}),
            ("AluaDiffers", "the path is in a group that is not reported, the map makes it non-optimized"),
        ),
        (
            replace(KEPT, read_only=False),
            ("Writable", "the node lets the probe write, although the map says read-only"),
        ),
        (
            replace(KEPT, failures={"MODE SENSE": "BUSY"}),
            ("CommandFailed", "MODE SENSE failed: BUSY"),
        ),
        (
            replace(KEPT, failures={"READ(16)": "no answer within 5 s"}),
            ("ReadFailed", "READ(16) failed: no answer within 5 s"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_broken_promise(answer: LunAnswer, expected: tuple[str, str]) -> None:
    """Each difference is one reason with a sentence that has both values."""
    assert differences(PROMISED, answer) == [expected]


def test_a_path_that_should_be_closed() -> None:
    """A standby path that is ready differs; one whose readiness was not asked does not."""
    promised = replace(PROMISED, state=AluaState.STANDBY)
    kept = kept_lun(promised)
    ready = "it is ready, the map makes it closed (sense 2/04/0b)"
    assert differences(promised, replace(kept, not_ready=None)) == [("NotReady", ready)]
    assert differences(promised, replace(kept, is_tested=False, not_ready=None)) == []


def test_a_device_may_be_larger_than_declared() -> None:
    """Only a smaller device differs, or any size if the map has an exact one."""
    promised = replace(PROMISED, may_exceed=True, block_size=None)
    assert differences(promised, replace(KEPT, capacity=Capacity(4096, 4096))) == []
    small = "it has 524288 bytes, the map at least 1048576"
    assert differences(promised, replace(KEPT, capacity=Capacity(1024, 512))) == [("SizeDiffers", small)]
    assert differences(replace(promised, size=None), replace(KEPT, capacity=Capacity(1, 512))) == []


def test_a_writable_map_may_be_writable() -> None:
    """Write access is a difference for a read-only map only."""
    assert differences(replace(PROMISED, read_only=False), replace(KEPT, read_only=False)) == []


def test_a_passed_through_device_has_its_own_identity() -> None:
    """Identity and ALUA state of the map don't bind a device that has its own."""
    own = PromisedLun(lun="tape", number=1)
    assert differences(own, KEPT) == []
