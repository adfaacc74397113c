"""The walk of a probe over portals that answer as scripted, by the real libiscsi."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from fakes.iscsi_target import FakeTarget, Hang, Reply
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.probe.answers import LunAnswer, Outcome, PortalAnswer, TargetAnswer
from lunmapd.core.probe.promise import PromisedLun, PromisedPortal, PromisedTarget
from lunmapd.core.probe.scsi import Capacity, DeviceId, Inquiry, PortGroup, Sense
from lunmapd.initiator import libiscsi
from lunmapd.initiator.connection import InitiatorAccess
from lunmapd.initiator.walk import WalkOptions, probe_portals
from support.probing import designator, vpd

TARGET = "iqn.2026-01.org.example:t"
LIBISCSI = libiscsi.load()
WHO = InitiatorAccess("iqn.2026-01.org.example:probe")
NAA = bytes.fromhex("60014053f1d6c1e00014f0b9f3e7a51c")
UNIT_ATTENTION = Reply(status=2, sense=(6, 0x2900))
CONFLICT = Reply(status=0x18)
STANDBY = Reply(status=2, sense=(2, 0x040B))
GROUP = bytes((1, 0, 0, 2, 0, 0, 0, 0))
REPLIES: Mapping[str, Reply] = {
    "REPORT LUNS": Reply((16).to_bytes(4) + bytes(4) + bytes((0, 1, *bytes(6), 0, 2, *bytes(6)))),
    "INQUIRY": Reply(bytes(8) + b"LIO-ORG IBLOCK          4.0 "),
    "INQUIRY 80h": Reply(vpd(0x80, b"3f1d")),
    "INQUIRY 83h": Reply(vpd(0x83, designator(0, 3, NAA) + designator(1, 5, bytes((0, 0, 0, 2))))),
    "RTPG": Reply((8).to_bytes(4) + GROUP),
    "TUR": Reply(),
    "READ CAPACITY": Reply((2047).to_bytes(8) + (512).to_bytes(4) + bytes(20)),
    "MODE SENSE": Reply(bytes((3, 0, 0x80, 0))),
    "READ": Reply(b"d" * 512),
}
WHOLE = LunAnswer(
    is_tested=True,
    inquiry=Inquiry(connected=True, vendor="LIO-ORG", product="IBLOCK"),
    serial="3f1d",
    device_id=DeviceId((NAA.hex(),), None, 2),
    capacity=Capacity(2048, 512),
    port_groups={2: PortGroup(AluaState.NON_OPTIMIZED, preferred=False)},
    read_only=True,
)


def name_of(cdb: bytes) -> str:
    """Return the name of a command in REPLIES."""
    names = {
        0x00: "TUR",
        0x1A: "MODE SENSE",
        0x88: "READ",
        0x9E: "READ CAPACITY",
        0xA0: "REPORT LUNS",
        0xA3: "RTPG",
    }
    page = {0: "INQUIRY", 0x80: "INQUIRY 80h", 0x83: "INQUIRY 83h"}
    return page[cdb[2]] if cdb[0] == 0x12 else names[cdb[0]]


Script = Reply | None | list[Reply]
"""What a command is answered: a reply, nothing, or one reply after the other, the last one for ever."""


@contextmanager
def scripted(
    changed: Mapping[str, Script] = MappingProxyType({}), login_status: int = 0, *, silent: bool = False
) -> Iterator[FakeTarget]:
    """Give a target whose LUN 1 answers as in REPLIES, but for the `changed` ones by their name."""
    scripts = {
        name: list(script) if isinstance(script, list) else [script]
        for name, script in {**REPLIES, **changed}.items()
    }

    def answer(lun: int, cdb: bytes) -> Reply:
        if lun > 1:
            return REPLIES[name_of(cdb)]
        script = scripts[name_of(cdb)]
        reply = script.pop(0) if len(script) > 1 else script[0]
        if reply is None:
            raise Hang
        return reply

    listed = f"TargetName={TARGET}\0TargetAddress=127.0.0.1:1,1\0".encode()
    with FakeTarget(answer, listed, login_status, silent=silent) as target:
        yield target


def promised(portal: str, *numbers: int, active: bool = True) -> PromisedPortal:
    """Return the promise of a portal with a target of these LUNs."""
    luns = {n: PromisedLun(lun=f"lun{n}", number=n, state=AluaState.NON_OPTIMIZED) for n in numbers}
    return PromisedPortal(node="n1", portal=portal, active=active, targets={TARGET: PromisedTarget(luns)})


def probed(
    portal: PromisedPortal, *, step: float = 10.0, seconds: float = 60.0, reads: bool = False
) -> PortalAnswer:
    """Return the answer of one portal."""
    nodes = frozenset({"n1"} if reads else ())
    options = WalkOptions(step, time.monotonic() + seconds, nodes)
    progress: list[str] = []
    ((_, answer),) = probe_portals(LIBISCSI, WHO, [portal], options, progress.append)
    assert progress == [portal.portal]
    return answer


def lun_1(*, reads: bool = False, **changed: Script) -> LunAnswer:
    """Return the answer of LUN 1 with these replies, `_` for a space."""
    with scripted({name.replace("_", " "): script for name, script in changed.items()}) as target:
        return probed(promised(target.portal, 1), reads=reads).targets[TARGET].luns[1]


def test_a_whole_walk() -> None:
    """Discovery, login and all LUNs that are promised and shown: others are not asked, nothing is read."""
    with scripted() as target:
        answer = probed(promised(target.portal, 1, 2, 7))
    assert answer.outcome is Outcome.ANSWERS
    assert answer.listed == {TARGET: {"127.0.0.1:1,1"}}
    assert answer.seconds > 0
    assert answer.targets == {
        TARGET: TargetAnswer(outcome=Outcome.ANSWERS, numbers=frozenset({1, 2}), luns={1: WHOLE, 2: WHOLE})
    }
    assert target.logouts == 2
    assert "READ" not in {name_of(cdb) for _, cdb in target.commands}


def test_reading() -> None:
    """The first and the last block are read."""
    with scripted() as target:
        answer = probed(promised(target.portal, 1), reads=True)
    assert answer.targets[TARGET].luns[1] == replace(WHOLE, is_read=True)
    reads = [int.from_bytes(cdb[2:10]) for _, cdb in target.commands if name_of(cdb) == "READ"]
    assert reads == [0, 2047]


def test_unit_attentions_are_passed_over() -> None:
    """Each command is sent up to five times while the LUN reports unit attentions."""
    assert lun_1(TUR=[*[UNIT_ATTENTION] * 4, Reply()]) == WHOLE
    assert lun_1(TUR=UNIT_ATTENTION) == replace(
        WHOLE, not_ready=Sense(6, 0x2900), capacity=None, read_only=None
    )


def test_closed_paths() -> None:
    """A standby path is asked for its capacity, an unavailable one is not; nothing is read from either."""
    standby = replace(WHOLE, not_ready=Sense(2, 0x040B), read_only=None)
    assert lun_1(TUR=STANDBY, reads=True) == standby
    unavailable = Reply(status=2, sense=(2, 0x040C))
    expected = replace(standby, not_ready=Sense(2, 0x040C), capacity=None)
    assert lun_1(TUR=unavailable, reads=True) == expected


def test_a_lun_without_a_device() -> None:
    """It is asked nothing else."""
    nothing = Reply(b"\x7f" + REPLIES["INQUIRY"].data[1:])
    inquiry = Inquiry(connected=False, vendor="LIO-ORG", product="IBLOCK")
    assert lun_1(INQUIRY=nothing) == LunAnswer(inquiry=inquiry)


def test_a_reserved_lun() -> None:
    """A reservation conflict is no failure, whichever command meets it."""
    reserved = replace(WHOLE, is_reserved=True)
    assert lun_1(MODE_SENSE=CONFLICT) == replace(reserved, read_only=None)
    assert lun_1(TUR=CONFLICT) == replace(reserved, is_tested=False)
    assert lun_1(READ=CONFLICT, reads=True) == reserved


def test_failures_are_named() -> None:
    """A command that fails, or whose data are malformed, is named with the reason; the others are sent."""
    busy, wrong = Reply(status=8), Reply(vpd(0x82, b""))
    medium = Reply(status=2, sense=(3, 0x1100))
    assert lun_1(MODE_SENSE=busy) == replace(WHOLE, read_only=None, failures={"MODE SENSE": "BUSY"})
    assert lun_1(TUR=busy) == replace(WHOLE, is_tested=False, failures={"TEST UNIT READY": "BUSY"})
    answer = lun_1(INQUIRY_80h=wrong)
    assert answer.serial is None
    assert "not VPD page 80h" in answer.failures["INQUIRY 80h"]
    expected = replace(WHOLE, is_read=False, failures={"READ(16)": "sense 3/11/00"})
    assert lun_1(READ=medium, reads=True) == expected
    assert lun_1(INQUIRY=busy) == LunAnswer(failures={"INQUIRY": "BUSY"})


def test_a_lun_that_does_not_answer() -> None:
    """Its failure is the end of the session; the LUNs after it are not asked."""
    with scripted({"READ CAPACITY": None}) as target:
        answer = probed(promised(target.portal, 1, 2), step=1.0).targets[TARGET]
    assert (answer.outcome, sorted(answer.luns)) == (Outcome.ANSWERS, [1])
    assert answer.luns[1] == LunAnswer(failures={"READ CAPACITY(16)": "no answer within 1 s"})
    assert answer.detail == "the session ended at LUN 1, READ CAPACITY(16): no answer within 1 s"


def test_a_target_that_lists_no_luns() -> None:
    """A REPORT LUNS that fails ends the session."""
    with scripted({"REPORT LUNS": Reply(status=8)}) as target:
        answer = probed(promised(target.portal, 1)).targets[TARGET]
    assert (answer.outcome, answer.detail) == (Outcome.LOST, "REPORT LUNS failed: BUSY")


def test_portals_that_do_not_answer() -> None:
    """A silent portal and one without a listener are asked for no target; a refusing one is asked."""
    with scripted(silent=True) as target:
        silent = probed(promised(target.portal, 1), step=0.2)
    assert (silent.outcome, silent.targets) == (Outcome.SILENT, {})
    gone = probed(promised(target.portal, 1))
    assert (gone.outcome, gone.detail, gone.targets) == (Outcome.UNREACHABLE, "connection refused", {})
    with scripted(login_status=0x0201) as target:
        refusing = probed(promised(target.portal, 1))
    assert (refusing.outcome, refusing.listed) == (Outcome.REFUSES, None)
    assert refusing.targets[TARGET].outcome is Outcome.REFUSES
    assert refusing.targets[TARGET].detail == "authentication failure (status 0201)"


def test_a_drained_node_is_not_logged_in_to() -> None:
    """Discovery is all that it is asked."""
    with scripted() as target:
        answer = probed(promised(target.portal, 1, active=False))
    assert (answer.outcome, answer.targets, target.commands) == (Outcome.ANSWERS, {}, [])


def test_a_target_with_an_obstacle_is_not_logged_in_to() -> None:
    """A login that is bound to fail would count as a refused one on the node."""
    with scripted() as target:
        portal = promised(target.portal, 1)
        blocked = replace(portal.targets[TARGET], obstacle="why")
        answer = probed(replace(portal, targets={TARGET: blocked}))
    assert answer.targets == {TARGET: TargetAnswer(outcome=Outcome.NOT_ASKED, detail="why")}
    assert all(b"SessionType=Discovery" in text for text in target.logins)


@pytest.mark.parametrize("seconds", [-1.0, 0.5])
def test_the_end_of_the_time(seconds: float) -> None:
    """What was not answered when the walk's time was over is no fault of the portal."""
    with scripted(silent=True) as target:
        answer = probed(promised(target.portal, 1), seconds=seconds)
    assert (answer.outcome, answer.detail) == (Outcome.NOT_ASKED, "the probe's time was over")


def test_the_end_of_the_time_in_a_session() -> None:
    """LUNs that had no time are not asked, without a fault of the LUN that was being asked."""
    with scripted({"RTPG": None}) as target:
        answer = probed(promised(target.portal, 1, 2), seconds=2.0).targets[TARGET]
    assert (answer.outcome, answer.luns, answer.detail) == (Outcome.ANSWERS, {}, "the probe's time was over")
