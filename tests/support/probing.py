"""Answers to a probe that keep every promise, and SCSI data as devices return them."""

from lunmapd.core.base.lunmap import CLOSED, AluaState
from lunmapd.core.probe.answers import LunAnswer, Outcome, PortalAnswer, TargetAnswer
from lunmapd.core.probe.promise import PromisedLun, PromisedPortal
from lunmapd.core.probe.scsi import (
    ALUA_STANDBY,
    ALUA_UNAVAILABLE,
    NOT_READY,
    Capacity,
    DeviceId,
    Inquiry,
    PortGroup,
    Sense,
)

CLOSED_SENSE = {
    AluaState.STANDBY: Sense(NOT_READY, ALUA_STANDBY),
    AluaState.UNAVAILABLE: Sense(NOT_READY, ALUA_UNAVAILABLE),
}


def kept_lun(promised: PromisedLun) -> LunAnswer:
    """Return the answer of a LUN that is as promised."""
    block_size = promised.block_size or 512
    groups = {} if promised.state is None else {promised.group: PortGroup(promised.state, promised.preferred)}
    return LunAnswer(
        is_tested=True,
        not_ready=CLOSED_SENSE[promised.state] if promised.state in CLOSED else None,
        inquiry=Inquiry(connected=True, vendor=promised.vendor, product=promised.product),
        serial=promised.serial,
        device_id=DeviceId((promised.naa,), 1, promised.group),
        capacity=Capacity((promised.size or 1 << 20) // block_size, block_size),
        port_groups=groups,
        read_only=promised.read_only,
        is_read=True,
    )


def kept(promised: PromisedPortal) -> PortalAnswer:
    """Return the answer of a portal that is as promised."""
    targets = {
        name: TargetAnswer(
            outcome=Outcome.ANSWERS,
            numbers=target.luns.keys() | target.others,
            luns={number: kept_lun(lun) for number, lun in target.luns.items()},
        )
        for name, target in promised.targets.items()
    }
    return PortalAnswer(
        outcome=Outcome.ANSWERS,
        seconds=0.001,
        listed=promised.listed,
        targets=targets if promised.active else {},
    )


def vpd(page: int, content: bytes) -> bytes:
    """Return a VPD page with zeros behind it."""
    return bytes((0, page)) + len(content).to_bytes(2) + content + bytes(64)


def designator(association: int, kind: int, value: bytes) -> bytes:
    """Return a designator of VPD page 83h."""
    return bytes((1, association << 4 | kind, 0, len(value))) + value
