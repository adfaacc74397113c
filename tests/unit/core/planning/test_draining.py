"""A drained node keeps its TPGs enabled until hosts use other paths."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, Lun, Lunmap, PortalGroup, Target
from lunmapd.core.node.observed import LOGGED_IN, AclLuns, HostCommands, IscsiSession, Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.draining import (
    DRAIN_WINDOW,
    MAX_CHECKS,
    PATIENCE,
    DrainProgress,
    UsedTpgs,
    busy_tpgs,
    follow_drain,
    keep_used_tpgs,
    reports_states,
    used_tpgs,
)
from lunmapd.core.planning.plan import plan
from support.small_map import LUN, MAP, H, T, drained

HERE = AclLuns(T, 1, H, (3,))
ENABLED = ("enabled", T, 1)
USED: UsedTpgs = {ENABLED: (HERE,)}
SESSION = IscsiSession(T, 1, H, LOGGED_IN)


def sent(count: int, *, in_flight: bool = False) -> tuple[HostCommands, ...]:
    """Return the count of the host's commands to its LUN."""
    return (HostCommands(T, 1, H, ((3, count),), in_flight),)


def used(before: Lunmap, after: Lunmap, *sessions: IscsiSession) -> object:
    """Return the TPGs in use when n1 goes from one map to another."""
    observed = Observed(project_map(before, "n1"), sessions=sessions)
    desired = project_map(after, "n1")
    return used_tpgs(plan(desired, observed.objects), desired, observed)


def test_a_host_with_a_session_and_an_open_lun_uses_a_tpg() -> None:
    """A TPG that is disabled for a drain is in use by the hosts that learn from ALUA to leave."""
    assert used(MAP, drained(MAP, "n1"), SESSION) == USED
    assert used(MAP, drained(MAP, "n1"), replace(SESSION, state="FAILED")) == {}
    assert used(MAP, drained(MAP, "n1")) == {}
    assert used(MAP, MAP, SESSION) == {}


@pytest.mark.parametrize(
    "lun",
    [
        replace(LUN, nodes=("n1",)),
        replace(LUN, preferred="n2", others=AluaState.STANDBY),
    ],
)
def test_a_lun_that_hosts_can_not_leave_by_alua_keeps_no_tpg(lun: Lun) -> None:
    """A Lun of one node has no target port group; a closed path has no I/O."""
    lunmap = replace(MAP, luns={"a": lun})
    assert used(lunmap, drained(lunmap, "n1"), SESSION) == {}


@pytest.mark.parametrize("others", [AluaState.STANDBY, AluaState.NON_OPTIMIZED])
def test_a_lun_that_another_node_takes_over_keeps_a_tpg(others: AluaState) -> None:
    """Hosts learn from ALUA that its owner has changed, whatever the state of the other paths."""
    lunmap = replace(MAP, luns={"a": replace(LUN, preferred=("n1", "n2"), others=others)})
    assert used(lunmap, drained(lunmap, "n1"), SESSION) == USED


def test_a_tpg_that_goes_is_not_kept() -> None:
    """Nothing waits for hosts of a target that leaves the node."""
    after = replace(MAP, targets={T: Target({"n2": PortalGroup(7)})})
    assert used(MAP, drained(after, "n1"), SESSION) == {}


def test_the_states_are_reported_once_no_step_changes_them() -> None:
    """Hosts are told by the step that changes the states, so they are counted after it."""
    desired, observed = project_map(drained(MAP, "n1"), "n1"), project_map(MAP, "n1")
    steps = plan(desired, observed)
    assert not reports_states(steps)
    assert reports_states(tuple(step for step in steps if step.before is None))


def after(*looks: tuple[float, tuple[HostCommands, ...], bool]) -> DrainProgress:
    """Return the progress after looks: time, counts, and whether the states are reported."""
    progress = None
    for now, counts, is_told in looks:
        progress = follow_drain(progress, counts, now, is_told=is_told)
    assert progress is not None
    return progress


def test_a_host_has_left_when_only_its_path_checker_sends() -> None:
    """It was told by a command since the states changed, and sends no more than checkers do."""
    start = [(0.0, (), False), (1.0, sent(100), True)]
    busy = after(*start, (1 + DRAIN_WINDOW, sent(101 + MAX_CHECKS), True))
    assert busy_tpgs(busy, USED, 1 + DRAIN_WINDOW).keys() == {ENABLED}
    left = after(*start, (1 + DRAIN_WINDOW, sent(100 + MAX_CHECKS), True))
    assert busy_tpgs(left, USED, 1 + DRAIN_WINDOW) == {}


def test_each_window_is_judged_by_itself() -> None:
    """A host that has left by a later window frees the TPG; one that begins again keeps it."""
    looks = [
        (1.0, sent(100), True),
        (1 + DRAIN_WINDOW, sent(900), True),
        (1 + 2 * DRAIN_WINDOW, sent(901), True),
    ]
    assert busy_tpgs(after(*looks), USED, 1 + 2 * DRAIN_WINDOW) == {}
    again = after(*looks, (1 + 3 * DRAIN_WINDOW, sent(2000), True))
    assert busy_tpgs(again, USED, 1 + 3 * DRAIN_WINDOW)


@pytest.mark.parametrize("counts", [sent(100), sent(101, in_flight=True), ()])
def test_a_host_that_was_not_told_or_waits_for_an_answer_stays(counts: tuple[HostCommands, ...]) -> None:
    """An idle host learns of the state by its next command, and one in flight would be lost."""
    progress = after((0.0, sent(100), True), (DRAIN_WINDOW, counts, True))
    assert busy_tpgs(progress, USED, DRAIN_WINDOW)
    assert busy_tpgs(progress, USED, PATIENCE) == {}


def test_the_reason_names_the_hosts() -> None:
    """The failure says for whom the node waits, and for how long at most."""
    (failure,) = busy_tpgs(after((0.0, sent(1), True)), USED, 0.0).values()
    assert failure.reason == "Draining"
    assert (
        failure.message
        == f"drained: the TPG is disabled when no I/O of {H} is left, after 40 s at the latest"
    )


def test_a_look_within_a_window_changes_nothing() -> None:
    """Passes that other things cause don't shorten the window."""
    first = after((0.0, sent(1), True))
    assert follow_drain(first, sent(2), DRAIN_WINDOW - 1, is_told=True) is first
    assert follow_drain(first, (), DRAIN_WINDOW, is_told=False) is first


def test_the_next_look_is_at_the_end_of_the_window() -> None:
    """Or earlier, when the patience ends; then there is none."""
    progress = after((0.0, sent(1), True))
    assert progress.seconds_left(2.0) == DRAIN_WINDOW - 2
    assert progress.seconds_left(DRAIN_WINDOW + 1) == 0.0
    late = replace(progress, at=PATIENCE - 1)
    assert late.seconds_left(PATIENCE - 0.5) == 0.5
    assert late.seconds_left(PATIENCE) == float("inf")
    assert after((0.0, (), False)).seconds_left(0.0) == 1.0


def test_the_step_of_a_tpg_in_use_is_withheld() -> None:
    """All other steps are executed."""
    desired, observed = project_map(drained(MAP, "n1"), "n1"), project_map(MAP, "n1")
    steps = plan(desired, observed)
    kept = keep_used_tpgs(steps, busy_tpgs(after((0.0, sent(1), True)), USED, 0.0))
    assert kept.held.keys() == {ENABLED}
    assert [*map(str, steps)][1:] == [*map(str, kept.steps)]
