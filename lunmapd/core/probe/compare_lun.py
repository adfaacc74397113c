"""One LUN on one path: what the map promises, and what it answered."""

from collections.abc import Iterator

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.probe.answers import LunAnswer
from lunmapd.core.probe.findings import FindingReason
from lunmapd.core.probe.promise import PromisedLun
from lunmapd.core.probe.scsi import ALUA_STANDBY, ALUA_UNAVAILABLE, NOT_READY, PortGroup, Sense

_CLOSED_SENSE = {
    AluaState.STANDBY: Sense(NOT_READY, ALUA_STANDBY),
    AluaState.UNAVAILABLE: Sense(NOT_READY, ALUA_UNAVAILABLE),
}

LunDifference = tuple[FindingReason, str]
"""Reason and sentence."""


def compare_lun(promised: PromisedLun, answer: LunAnswer) -> Iterator[LunDifference]:
    """Yield how a LUN differs from what the map promises."""
    yield from _readiness(promised, answer)
    yield from _identity(promised, answer)
    yield from _size(promised, answer)
    yield from _alua(promised, answer)
    if promised.read_only and answer.read_only is False:
        yield FindingReason.WRITABLE, "the node lets the probe write, although the map says read-only"
    for command, why in answer.failures.items():
        reason = FindingReason.READ_FAILED if command == "READ(16)" else FindingReason.COMMAND_FAILED
        yield reason, f"{command} failed: {why}"


def _readiness(promised: PromisedLun, answer: LunAnswer) -> Iterator[LunDifference]:
    expected = None if promised.state is None else _CLOSED_SENSE.get(promised.state)
    if answer.inquiry is not None and not answer.inquiry.connected:
        yield FindingReason.NO_DEVICE, "the LUN number leads to no device"
    elif answer.is_tested and answer.not_ready != expected:
        ready = "it is ready" if answer.not_ready is None else f"it is not ready ({answer.not_ready})"
        wanted = "ready" if expected is None else f"closed ({expected})"
        yield FindingReason.NOT_READY, f"{ready}, the map makes it {wanted}"


def _identity(promised: PromisedLun, answer: LunAnswer) -> Iterator[LunDifference]:
    naa = answer.device_id and " ".join(answer.device_id.naa)
    seen = {"serial": answer.serial, "NAA identifier": naa}
    if answer.inquiry is not None:
        seen |= {"vendor": answer.inquiry.vendor, "product": answer.inquiry.product}
    wanted = {
        "serial": promised.serial,
        "NAA identifier": promised.naa,
        "vendor": promised.vendor,
        "product": promised.product,
    }
    for name, value in seen.items():
        if wanted[name] and value is not None and value != wanted[name]:
            yield FindingReason.IDENTITY_DIFFERS, f"its {name} is {value!r}, the map's {wanted[name]!r}"


def _size(promised: PromisedLun, answer: LunAnswer) -> Iterator[LunDifference]:
    if answer.capacity is None:
        return
    seen, wanted = answer.capacity.size, promised.size
    if wanted is not None and (seen < wanted or (seen > wanted and not promised.may_exceed)):
        least = "at least " if promised.may_exceed else ""
        yield FindingReason.SIZE_DIFFERS, f"it has {seen} bytes, the map {least}{wanted}"
    if promised.block_size not in {None, answer.capacity.block_size}:
        yield (
            FindingReason.BLOCK_SIZE_DIFFERS,
            f"its blocks have {answer.capacity.block_size} bytes, the map's {promised.block_size}",
        )


def _alua(promised: PromisedLun, answer: LunAnswer) -> Iterator[LunDifference]:
    if promised.state is None or answer.device_id is None or answer.port_groups is None:
        return
    group = answer.device_id.port_group
    if group != promised.group:
        yield (
            FindingReason.ALUA_DIFFERS,
            f"this path is in target port group {_or_none(group)}, the map's is {promised.group}",
        )
        return
    wanted = PortGroup(promised.state, promised.preferred)
    seen = answer.port_groups.get(promised.group)
    if seen != wanted:
        yield (
            FindingReason.ALUA_DIFFERS,
            f"the path is {_describe(seen)}, the map makes it {_describe(wanted)}",
        )


def _or_none(group: int | None) -> str:
    return "none" if group is None else str(group)


def _describe(group: PortGroup | None) -> str:
    if group is None:
        return "in a group that is not reported"
    state = "in a state that no map gives" if group.state is None else group.state.value
    return f"{state}, preferred" if group.preferred else state
