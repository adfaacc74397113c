"""How portals and targets differ from what the map promises, and what a probe reports."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, Map, NodeState
from lunmapd.core.probe.answers import Outcome, PortalAnswer, TargetAnswer
from lunmapd.core.probe.findings import Finding
from lunmapd.core.probe.promise import PromisedPortal, promised_portals
from lunmapd.core.probe.result import ProbedLun, ProbeResult, probe_result
from lunmapd.core.probe.scsi import Capacity
from support.probing import kept
from support.small_map import LUN, MAP, H, T

FIRST, SECOND = promised_portals(MAP, H)
KEPT = kept(SECOND)
ANSWER = KEPT.targets[T]


def brief(finding: Finding) -> tuple[str, str, str, str, str]:
    """Return a finding without its portal."""
    return finding.node, finding.target, finding.lun, finding.reason.value, finding.message


def probed(second: PortalAnswer, first: PromisedPortal = FIRST) -> ProbeResult:
    """Return the result if the first portal keeps its promise and the second one gives this answer."""
    return probe_result([(first, kept(first)), (SECOND, second)])


def findings(second: PortalAnswer) -> list[tuple[str, str, str, str, str]]:
    """Return the findings of `probed`."""
    return [brief(finding) for finding in probed(second).findings]


def told(**changes: object) -> PortalAnswer:
    """Return the second portal's answer with changes in its target."""
    return replace(KEPT, targets={T: replace(ANSWER, **changes)})


def test_all_promises_are_kept() -> None:
    """Without a difference each path serves, and the portals have their times."""
    result = probed(KEPT)
    assert result.findings == ()
    assert [(path.node, path.serves, path.reasons) for path in result.paths] == [
        ("n1", True, ()),
        ("n2", True, ()),
    ]
    assert result.luns == (ProbedLun("a", 2, 2),)
    assert [(portal.outcome, portal.milliseconds) for portal in result.portals] == [
        (Outcome.ANSWERS, 1.0),
        (Outcome.ANSWERS, 1.0),
    ]
    assert not result.is_outage


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.UNREACHABLE, "PortalUnreachable"),
        (Outcome.SILENT, "PortalSilent"),
        (Outcome.LOST, "PortalSilent"),
        (Outcome.NOT_ASKED, "NotProbed"),
    ],
)
def test_a_portal_without_an_answer(outcome: Outcome, reason: str) -> None:
    """It is one finding, and the reason why its path does not serve."""
    answer = PortalAnswer(outcome=outcome, detail="why")
    assert findings(answer) == [("n2", "", "", reason, "why")]
    result = probed(answer)
    assert [(path.serves, path.reasons) for path in result.paths] == [(True, ()), (False, (reason,))]
    assert result.luns == (ProbedLun("a", 1, 2, int(outcome is Outcome.NOT_ASKED)),)
    assert not result.is_outage


def test_a_refused_discovery() -> None:
    """It is a finding, unless discovery wants a password; the target is asked all the same."""
    refused = replace(KEPT, outcome=Outcome.REFUSES, detail="why", listed=None)
    assert findings(refused) == [("n2", "", "", "DiscoveryRefused", "why")]
    assert probed(refused).luns == (ProbedLun("a", 2, 2),)
    asks = replace(SECOND, asks_password=True)
    assert probe_result([(asks, refused)]).findings == ()


def test_discovery_lists_other_portals() -> None:
    """Missing portals and unexpected ones are named; IPv6 addresses are compared as addresses."""
    other = "iqn.2026-01.org.example:other"
    listed = {T: {"10.0.0.1:3260,1", "[FD00::1]:3260,2"}, other: {"nonsense"}}
    assert findings(replace(KEPT, listed=listed)) == [
        ("n2", other, "", "Listed", "discovery lists, against the map, nonsense"),
        ("n2", T, "", "NotListed", "discovery does not list 10.0.0.2:3260,2"),
        ("n2", T, "", "Listed", "discovery lists, against the map, [fd00::1]:3260,2"),
    ]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.REFUSES, "LoginRefused"),
        (Outcome.SILENT, "LoginFailed"),
        (Outcome.LOST, "LoginFailed"),
        (Outcome.UNREACHABLE, "LoginFailed"),
        (Outcome.NOT_ASKED, "NotProbed"),
    ],
)
def test_a_login_that_failed(outcome: Outcome, reason: str) -> None:
    """It is a finding of the target, and the reason why its path does not serve."""
    answer = replace(KEPT, targets={T: TargetAnswer(outcome=outcome, detail="why")})
    assert findings(answer) == [("n2", T, "", reason, "why")]
    assert [path.reasons for path in probed(answer).paths] == [(), (reason,)]


def test_missing_and_unexpected_luns() -> None:
    """A LUN that is not shown is missing; one that the map does not have is named; others of it are not."""
    assert findings(told(numbers={9, 10}, luns={})) == [
        ("n2", T, "", "LunUnexpected", "the node shows LUN 9, LUN 10, the map does not"),
        ("n2", T, "a", "LunMissing", "the node does not show LUN 3"),
    ]
    some = replace(SECOND, targets={T: replace(SECOND.targets[T], others={9, 10})})
    assert probe_result([(some, told(numbers={3, 9}))]).findings == ()


def test_a_session_that_ended_early() -> None:
    """LUNs that were not asked any more are counted, with the reason."""
    answer = told(luns={}, detail="the session ended at LUN 1, INQUIRY: why")
    sentence = "1 LUNs were not asked: the session ended at LUN 1, INQUIRY: why"
    assert findings(answer) == [("n2", T, "", "NotProbed", sentence)]
    assert [path.reasons for path in probed(answer).paths] == [(), ("NotProbed",)]


def test_a_finding_that_leaves_a_path_usable() -> None:
    """A path with another ALUA state or access of the probe serves hosts; one of another size does not."""
    lun = ANSWER.luns[3]
    assert lun.device_id is not None
    for changed, serves, reason in (
        (replace(lun, port_groups={}), True, "AluaDiffers"),
        (replace(lun, capacity=Capacity(1, 512)), False, "SizeDiffers"),
    ):
        path = probed(told(luns={3: changed})).paths[1]
        assert (path.serves, path.reasons) == (serves, (reason,))


def test_paths_that_differ_from_each_other() -> None:
    """Sizes, block sizes and NAA identifiers must be equal on all paths, also where the map has none."""
    device = replace(LUN, size=None, attributes={})
    lunmap = replace(MAP, luns={"a": device})
    first, second = promised_portals(lunmap, H)
    lun = kept(second).targets[T].luns[3]
    assert lun.device_id is not None
    other = replace(lun, capacity=Capacity(256, 4096), device_id=replace(lun.device_id, naa=("6",)))
    one = replace(first, targets={T: replace(first.targets[T], luns={3: _own(first)})})
    two = replace(second, targets={T: replace(second.targets[T], luns={3: _own(second)})})
    told_two = replace(kept(two), targets={T: replace(ANSWER, luns={3: other})})
    result = probe_result([(one, kept(first)), (two, told_two)])
    assert [brief(finding)[2:] for finding in result.findings] == [
        ("a", "PathsDiffer", f"its paths have different NAA identifiers: 6001405{'1' * 25} at n1; 6 at n2"),
        ("a", "PathsDiffer", "its paths have different block sizes: 512 at n1; 4096 at n2"),
    ]
    silent = replace(
        kept(two), targets={T: replace(ANSWER, luns={3: replace(other, device_id=None, capacity=None)})}
    )
    assert probe_result([(one, kept(first)), (two, silent)]).findings == ()


def _own(portal: PromisedPortal) -> object:
    """Return the promise of a LUN with an identity of its own."""
    return replace(
        portal.targets[T].luns[3],
        serial="",
        naa="",
        vendor="",
        product="",
        size=None,
        block_size=None,
        state=None,
    )


def test_two_portals_of_one_node_are_one_place() -> None:
    """A node is named once for each value."""
    again = replace(FIRST, portal="10.1.0.1:3260")
    lun = kept(SECOND).targets[T].luns[3]
    small = replace(lun, capacity=Capacity(1024, 512))
    second = replace(KEPT, targets={T: replace(ANSWER, luns={3: small})})
    result = probe_result([(FIRST, kept(FIRST)), (again, kept(again)), (SECOND, second)])
    message = "its paths have different sizes: 1048576 at n1; 524288 at n2"
    assert [brief(finding)[3:] for finding in result.findings][-1] == ("PathsDiffer", message)


def test_drained_and_closed_paths_are_not_intended() -> None:
    """A drained node is asked for its portals only; neither it nor a standby path is missed."""
    nodes = {**MAP.nodes, "n2": replace(MAP.nodes["n2"], state=NodeState.DRAINED)}
    drained = probe_result((item, kept(item)) for item in promised_portals(replace(MAP, nodes=nodes), H))
    closed = replace(MAP, luns={"a": replace(LUN, preferred="n1", others=AluaState.STANDBY)})
    standby = probe_result((item, kept(item)) for item in promised_portals(closed, H))
    for result in (drained, standby):
        assert (result.luns, result.findings) == ((ProbedLun("a", 1, 1),), ())
        assert [path.is_intended for path in result.paths] == [True, False]


def test_an_outage() -> None:
    """It is one if a Lun has no path left, or if no portal answers; but not if no path is intended."""
    gone = PortalAnswer(outcome=Outcome.UNREACHABLE)
    assert probe_result([(FIRST, gone), (SECOND, gone)]).is_outage
    refused = replace(KEPT, targets={T: TargetAnswer(outcome=Outcome.REFUSES)})
    assert probe_result([(FIRST, refused), (SECOND, refused)]).is_outage
    nobody = list(promised_portals(MAP, ""))
    assert not probe_result((item, kept(item)) for item in nobody).is_outage
    assert probe_result((item, gone) for item in nobody).is_outage
    assert not probe_result([]).is_outage
    late = PortalAnswer(outcome=Outcome.NOT_ASKED)
    assert not probe_result([(FIRST, gone), (SECOND, late)]).is_outage
    assert not probe_result((item, late) for item in nobody).is_outage
    idle = replace(FIRST, active=False)
    assert probe_result([(idle, kept(idle))]).luns == (ProbedLun("a", 0, 0),)
    assert not probe_result([(idle, kept(idle))]).is_outage


def test_what_was_asked_and_not_probed() -> None:
    """Luns that are not mapped to the probe are named, and nodes where nothing was read."""
    result = probe_result(
        [(FIRST, kept(FIRST))], unmapped={"c", "b"}, unread={"n1", "n9"}, unaddressed={"n3"}
    )
    assert [brief(finding)[:4] for finding in result.findings] == [
        ("n1", "", "", "NotProbed"),
        ("n3", "", "", "NotProbed"),
        ("", "", "b", "NotMapped"),
        ("", "", "c", "NotMapped"),
    ]


def test_luns_are_in_the_order_of_their_names() -> None:
    """The Luns of a result are sorted, whatever the order of their numbers."""
    lunmap = replace(MAP, luns={"z": LUN, "b": replace(LUN, serial="2" * 32, maps=(Map(T, 4, H),))})
    result = probe_result((item, kept(item)) for item in promised_portals(lunmap, H))
    assert [lun.lun for lun in result.luns] == ["b", "z"]
