"""The initiators that a step affects."""

from types import MappingProxyType

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import AluaState, Lun, Lunmap, Map, Node, NodeState, PortalGroup, Target
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua, DefaultGroup
from lunmapd.core.node.observed import IscsiSession, Login, Observed
from lunmapd.core.planning.impact import AccessPaths, Audience, Impact, Logins, find_disruptions
from lunmapd.core.planning.plan import Action, Step

T = "iqn.2026-01.org.example:t"
H, OTHER = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
BACKING = lio_objects.StorageObject("a", "iblock", "/dev/a", 0, "1")
PREFERRED = lio_objects.StorageObject("a", "iblock", "/dev/a", 0, "1", alua=Alua(1, AluaState.OPTIMIZED))
LUN, ACL = lio_objects.TpgLun(T, 1, "a"), lio_objects.NodeAcl(T, 1, H)
MAPPED = lio_objects.MappedLun(T, 1, H, 0, "a", write_protect=False)
ENABLED = lio_objects.Enabled(T, 1, 1)
ONE, TWO = IscsiSession(T, 1, H, "LOGGED_IN"), IscsiSession(T, 1, OTHER, "LOGGED_IN")
ELSEWHERE = IscsiSession(T, 2, H, "LOGGED_IN")
OBSERVED = Observed(lio_objects.by_key([BACKING, LUN, ACL, MAPPED, ENABLED]), sessions=(ONE, TWO, ELSEWHERE))


THERE = Login(T, H)
WELL = {"n1": {THERE}, "n2": {THERE}}
# The map still gives the Lun `a` to the host, through n2 too.
SHARED = Lunmap(
    luns={"a": Lun(Block("/dev/a"), maps=(Map(T, 0, H),)), "gone": Lun(Block("/dev/g"))},
    targets={T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})},
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)


def impact(
    step: Step,
    observed: Observed = OBSERVED,
    *,
    lunmap: Lunmap = SHARED,
    wanted: lio_objects.DesiredObjects = MappingProxyType({}),
    logins: Logins = MappingProxyType({"n2": {THERE}}),
) -> Impact:
    """Return the impact of a step on n1."""
    return Audience(observed, AccessPaths(lunmap, "n1", wanted, logins)).impact(step)


@pytest.mark.parametrize(
    ("step", "worst", "sessions"),
    [
        (Step(Action.DELETE, MAPPED, ""), Disruption.PATH_LOSS, (ONE,)),
        (Step(Action.DELETE, ACL, ""), Disruption.SESSION_DROP, (ONE,)),
        (Step(Action.DELETE, ENABLED, ""), Disruption.SESSION_DROP, (ONE, TWO)),
        (Step(Action.DELETE, LUN, ""), Disruption.PATH_LOSS, (ONE,)),
        (Step(Action.UPDATE, PREFERRED, "", BACKING), Disruption.UNIT_ATTENTION, (ONE,)),
        (Step(Action.CREATE, LUN, ""), Disruption.NONE, ()),
        (Step(Action.DELETE, lio_objects.TpgLun(T, 1, "b"), ""), Disruption.PATH_LOSS, ()),
    ],
)  # fmt: skip
def test_who_is_logged_in_notices(step: Step, worst: Disruption, sessions: tuple[IscsiSession, ...]) -> None:
    """A step affects initiators that are logged in where it happens; without any it disrupts none."""
    found = impact(step)
    assert (found.worst, found.sessions) == (worst, sessions)
    assert found.now is (worst if sessions else Disruption.NONE)


def test_a_step_that_nobody_sees_concerns_nobody() -> None:
    """A step on an object that no initiator sees affects none, with any class."""
    unseen = Observed(lio_objects.by_key([BACKING]), sessions=(ONE,))
    assert impact(Step(Action.UPDATE, PREFERRED, "", BACKING), unseen).now is Disruption.NONE


@pytest.mark.parametrize(
    ("lunmap", "wanted", "logins"),
    [
        (replace(SHARED, luns={}), {}, WELL),
        (replace(SHARED, luns={"a": Lun(Block("/dev/a"))}), {}, WELL),
        (replace(SHARED, targets={}), {}, WELL),
        (replace(SHARED, targets={T: Target({"n1": PortalGroup(1)})}), {}, WELL),
        (replace(SHARED, nodes={**SHARED.nodes, "n2": Node(2, state=NodeState.DRAINED)}), {}, WELL),
        (replace(SHARED, nodes={"n1": SHARED.nodes["n1"]}), {}, WELL),
        (SHARED, {}, {"n1": {THERE}}),
        (SHARED, {}, {"n2": {Login(T, OTHER)}}),
        (SHARED, {}, {"n2": {Login("iqn.2026-01.org.example:other-target", H)}}),
        (SHARED, lio_objects.by_key([lio_objects.MappedLun(T, 1, H, 7, "a", write_protect=False)]), WELL),
    ],
    ids=[
        "no Lun",
        "not mapped",
        "no target",
        "no other node",
        "drained",
        "a node that can't be read",
        "not logged in",
        "another initiator",
        "another target",
        "made anew",
    ],
)
def test_the_last_way_to_data_leaves_them_unreachable(
    lunmap: Lunmap, wanted: lio_objects.DesiredObjects, logins: Logins
) -> None:
    """An initiator loses data, not a path, unless it has a lasting session at another node with the Lun."""
    found = impact(Step(Action.DELETE, MAPPED, ""), lunmap=lunmap, wanted=wanted, logins=logins)
    assert (found.worst, found.now) == (Disruption.DATA_UNREACHABLE, Disruption.DATA_UNREACHABLE)


@pytest.mark.parametrize(("number", "lost"), [(0, True), (1, False)])
def test_a_lun_0_has_no_way_out(number: int, *, lost: bool) -> None:
    """LIO answers in its place, so the initiator keeps using the path without the data.

    A closed TPG doesn't.
    """
    item = replace(MAPPED, lun=number)
    observed = replace(OBSERVED, objects=lio_objects.by_key([BACKING, LUN, ACL, item, ENABLED]))
    step = Step(Action.DELETE, item, "")
    found = impact(step, observed, wanted=lio_objects.by_key([ENABLED]))
    assert found.now is (Disruption.DATA_UNREACHABLE if lost else Disruption.PATH_LOSS)
    assert impact(step, observed).now is Disruption.PATH_LOSS


@pytest.mark.parametrize(
    ("number", "there", "expected"),
    [
        (3, True, Disruption.PATH_LOSS),
        (3, False, Disruption.DATA_UNREACHABLE),
        (0, True, Disruption.DATA_UNREACHABLE),
    ],
)
def test_a_lun_under_two_numbers_is_not_lost_with_one(
    number: int, *, there: bool, expected: Disruption
) -> None:
    """The other number must be there already; in place of LUN 0 LIO itself answers."""
    gone, stays = replace(MAPPED, lun=number), replace(MAPPED, lun=7)
    mapped = [gone, *([stays] if there else [])]
    observed = replace(OBSERVED, objects=lio_objects.by_key([BACKING, LUN, ACL, *mapped, ENABLED]))
    found = impact(Step(Action.DELETE, gone, ""), observed, wanted=lio_objects.by_key([stays, ENABLED]))
    assert found.now is expected


def test_nobody_loses_what_nobody_uses() -> None:
    """Without a session there is nothing to lose, though it would be the last way."""
    away = replace(OBSERVED, sessions=(TWO,))
    found = impact(Step(Action.DELETE, MAPPED, ""), away, lunmap=replace(SHARED, luns={}))
    assert (found.worst, found.now) == (Disruption.DATA_UNREACHABLE, Disruption.NONE)


@pytest.mark.parametrize("item", [ENABLED, ACL, LUN])
def test_what_is_made_anew_is_made_anew_everywhere(item: lio_objects.DesiredObject) -> None:
    """Other nodes are no way out: they do the same at the same time."""
    assert (
        impact(Step(Action.DELETE, item, ""), wanted=lio_objects.by_key([item])).now
        is Disruption.DATA_UNREACHABLE
    )


def _lun(preferred: str = "", others: AluaState = AluaState.NON_OPTIMIZED) -> Lunmap:
    lun = replace(SHARED.luns["a"], preferred=preferred, others=others)
    return replace(SHARED, luns={**SHARED.luns, "a": lun})


def _default(
    state: str, access_type: str = "Implicit", *, preferred: bool = False
) -> lio_objects.StorageObject:
    return replace(BACKING, default_group=DefaultGroup(state, preferred, access_type))


def _state(state: AluaState) -> lio_objects.StorageObject:
    return replace(BACKING, alua=Alua(1, state))


def test_hosts_do_not_notice_the_access_type_of_the_default_group() -> None:
    """The kernel establishes no unit attention for it, so that no setting of `allow` holds the step."""
    step = Step(Action.UPDATE, BACKING, "", _default("optimized", "Implicit and Explicit"))
    assert impact(step).worst is Disruption.NONE


@pytest.mark.parametrize(
    ("before", "after", "worst"),
    [
        (_state(AluaState.OPTIMIZED), _state(AluaState.NON_OPTIMIZED), Disruption.UNIT_ATTENTION),
        (_state(AluaState.OPTIMIZED), _state(AluaState.STANDBY), Disruption.PATH_LOSS),
        (_state(AluaState.NON_OPTIMIZED), _state(AluaState.UNAVAILABLE), Disruption.PATH_LOSS),
        (BACKING, _state(AluaState.STANDBY), Disruption.PATH_LOSS),
        (_state(AluaState.STANDBY), _state(AluaState.UNAVAILABLE), Disruption.UNIT_ATTENTION),
        (_state(AluaState.UNAVAILABLE), _state(AluaState.OPTIMIZED), Disruption.UNIT_ATTENTION),
        (_state(AluaState.STANDBY), BACKING, Disruption.UNIT_ATTENTION),
        (_default("standby"), BACKING, Disruption.UNIT_ATTENTION),
        (_default("optimized", preferred=True), BACKING, Disruption.UNIT_ATTENTION),
    ],
)
def test_a_path_through_which_no_io_goes_is_lost(
    before: lio_objects.StorageObject, after: lio_objects.StorageObject, worst: Disruption
) -> None:
    """Standby and unavailable refuse reads and writes; LIO's initiators can't activate such a path."""
    step = Step(Action.UPDATE, after, "", before)
    found = impact(step, wanted=lio_objects.by_key([after]), lunmap=_lun("n2"))
    assert (found.worst, found.now, found.sessions) == (worst, worst, (ONE,))


@pytest.mark.parametrize("step", [Step(Action.DELETE, ENABLED, ""), Step(Action.DELETE, MAPPED, "")])
@pytest.mark.parametrize(
    ("lunmap", "reachable"),
    [
        (_lun("n1"), True),
        (_lun("n1", AluaState.OPTIMIZED), True),
        (_lun("n1", AluaState.STANDBY), False),
        (_lun("n1", AluaState.UNAVAILABLE), False),
        (_lun("n2", AluaState.UNAVAILABLE), True),
        (_lun("", AluaState.UNAVAILABLE), True),
    ],
)
def test_a_path_that_takes_no_io_is_no_way_out(step: Step, lunmap: Lunmap, *, reachable: bool) -> None:
    """With the other node's path on standby, the last way goes though the initiator is logged in there."""
    assert (impact(step, lunmap=lunmap).now < Disruption.DATA_UNREACHABLE) is reachable


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAPPED, replace(MAPPED, write_protect=True)),
        (replace(BACKING, size=8192), replace(BACKING, size=4096)),
    ],
    ids=["read-only", "smaller"],
)
def test_what_is_refused_on_every_path_is_unreachable(
    before: lio_objects.DesiredObject, after: lio_objects.DesiredObject
) -> None:
    """Writes to a read-only LUN, or beyond its new end, fail through every node.

    The way back disturbs nobody.
    """
    there = impact(Step(Action.UPDATE, after, "", before), wanted=lio_objects.by_key([after]))
    assert (there.worst, there.now, there.sessions) == (
        Disruption.DATA_UNREACHABLE,
        Disruption.DATA_UNREACHABLE,
        (ONE,),
    )
    assert impact(Step(Action.UPDATE, before, "", after), wanted=lio_objects.by_key([before])) == Impact(
        Disruption.NONE
    )


def test_a_class_has_one_word() -> None:
    """The journal and `lunmapd plan` name a class of disruption alike."""
    assert [each.word for each in Disruption] == [
        "none",
        "unit-attention",
        "path-loss",
        "session-drop",
        "data-unreachable",
        "other-data",
    ]


UNMAP, REMAP = Step(Action.DELETE, replace(MAPPED, lun=1), ""), Step(Action.CREATE, LUN, "")
UNMAPPED = ("delete", lio_objects.key_of(replace(MAPPED, lun=1)))


@pytest.mark.parametrize(
    ("steps", "sessions", "sessions_observed", "noticed"),
    [
        ((UNMAP, REMAP), (ONE,), True, {UNMAPPED: Disruption.PATH_LOSS}),
        ((UNMAP, REMAP), (TWO,), True, {UNMAPPED: Disruption.NONE}),
        ((UNMAP, REMAP), (), True, {}),
        ((UNMAP, REMAP), (), False, {UNMAPPED: Disruption.PATH_LOSS}),
        ((REMAP,), (), False, {}),
    ],
    ids=["logged in", "another one", "nobody", "who knows", "nothing to notice"],
)
def test_a_plan_is_felt_by_those_that_are_there(
    steps: tuple[Step, ...],
    sessions: tuple[IscsiSession, ...],
    *,
    sessions_observed: bool,
    noticed: dict[object, Disruption],
) -> None:
    """With a fresh observation logged-in initiators are affected; without one all are."""
    observed = Observed(
        lio_objects.by_key([BACKING, LUN, ACL, replace(MAPPED, lun=1), ENABLED]), sessions=sessions
    )
    ways = AccessPaths(SHARED, "n1", {}, {"n2": {THERE}})
    assert find_disruptions(steps, observed, ways, sessions_observed=sessions_observed) == noticed
