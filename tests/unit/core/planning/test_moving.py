"""Changes that disturb the hosts of a floating group wait until another node serves it."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Lunmap, Map
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import Decision, PassInput, compare, decide
from lunmapd.core.planning.moving import Others, ServedGroup
from lunmapd.core.planning.outcome import kept_objects
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING, LUN, MIXED, H, T

ENABLED: lio_objects.Key = ("enabled", T, 1001)
RENAMED = replace(LUN, product="NEW")
"""The product is set before the export, so the storage object is replaced."""
GOLD = {others: ServedGroup(T, 1001, others) for others in Others}


def changed(lunmap: Lunmap = FLOATING) -> Lunmap:
    """Return the map after the change."""
    return replace(lunmap, luns={"a": RENAMED})


def decision(
    after: Lunmap, observed: Observed, others: Others | None, allow: Disruption = Disruption.DATA_UNREACHABLE
) -> Decision:
    """Decide a pass of n1; without `others` it does not own the group."""
    served = () if others is None else (GOLD[others],)
    given = PassInput("n1", 2, after, {}, Vault("c"), served=served, allow=allow)
    return decide(given, compare(given, observed), None, {}, {})


def owner(lunmap: Lunmap = FLOATING, *tags: int) -> Observed:
    """Return the kernel of n1 as the owner of the group, with a session in the TPGs of these tags."""
    sessions = tuple(IscsiSession(T, tag, H, LOGGED_IN) for tag in tags or (1001,))
    return Observed(project_map(lunmap, "n1"), sessions=sessions)


@pytest.mark.parametrize(
    ("others", "words"),
    [(Others.BEHIND, "other nodes have still to make their changes"), (Others.READY, "the group moves now")],
)
def test_a_replacement_waits_for_the_move(others: Others, words: str) -> None:
    """Nothing of it is executed, the message names the group, and its hosts use what is there."""
    found = decision(changed(), owner(), others)
    assert (found.steps, found.disturbed) == ((), (GOLD[others],))
    failure = found.held["mapped_lun", T, 1001, H, 3]
    assert failure.reason is Reason.MOVING
    assert f"TPG 1001 of {T}" in failure.message
    assert "60 s at most" in failure.message
    assert words in failure.message
    left = compare(PassInput("n1", 2, changed(), {}, Vault("c")), owner()).steps
    assert ("mapped_lun", T, 1001, H, 3) in kept_objects(found.held, left, owner().objects)


def test_a_replacement_is_made_where_nobody_else_can_serve() -> None:
    """A group of one fit node is disturbed as any path, and the pass reports which group it was."""
    found = decision(changed(), owner(), Others.NONE)
    assert (Action.DELETE, "storage_object") in {
        (step.action, lio_objects.key_of(step.item)[0]) for step in found.steps
    }
    assert (found.held, found.disturbed) == ({}, (GOLD[Others.NONE],))


@pytest.mark.parametrize("observed", [owner(FLOATING, 9), Observed(project_map(FLOATING, "n1"))])
def test_nothing_waits_without_hosts(observed: Observed) -> None:
    """A host that is not logged in to the group loses nothing there."""
    found = decision(changed(), observed, Others.READY)
    assert found.held == {}
    assert found.disturbed == ()


@pytest.mark.parametrize(
    ("others", "waits"), [(Others.READY, True), (Others.BEHIND, False), (Others.NONE, False)]
)
def test_a_group_that_moves_is_waited_for_without_hosts(others: Others, waits: bool) -> None:  # noqa: FBT001
    """Its TPG is disabled first: a change then would let the node keep the group, and hosts return to it."""
    group = replace(GOLD[others], leaving=True)
    given = PassInput("n1", 2, changed(), {}, Vault("c"), served=(group,))
    observed = Observed(project_map(FLOATING, "n1"))
    found = decide(given, compare(given, observed), None, {}, {})
    assert (bool(found.held), found.disturbed) == (waits, (group,) if waits else ())


def test_nothing_waits_at_a_node_that_does_not_own_the_group() -> None:
    """Hosts that are still logged in to it go with its TPG."""
    assert decision(changed(), owner(), None).held == {}


def test_what_no_move_can_help_does_not_wait() -> None:
    """A Lun that is taken from a host is lost through each node, and a new one disturbs nobody."""
    without = replace(FLOATING, luns={"a": replace(LUN, maps=())})
    moved = replace(FLOATING, luns={"a": replace(LUN, maps=(Map(T, 4, H),))})
    for after in (without, moved, FLOATING):
        found = decision(after, owner(), Others.READY)
        assert (found.held, found.disturbed) == ({}, ())


def test_the_own_tpg_of_a_node_waits_with_the_group() -> None:
    """The storage object is one, so the paths beside the group stay until it is replaced."""
    found = decision(changed(MIXED), owner(MIXED, 1, 1001), Others.READY)
    assert not any(step.action is Action.DELETE for step in found.steps)
    assert found.held["mapped_lun", T, 1001, H, 3].reason is Reason.MOVING
    assert found.held["mapped_lun", T, 1, H, 3].reason is Reason.WAITING


def test_the_own_tpg_of_a_node_waits_for_no_move() -> None:
    """Only the hosts of the group are waited for."""
    assert decision(changed(MIXED), owner(MIXED, 1), Others.READY).held == {}


def test_the_limit_of_disruption_holds_what_no_move_has_avoided() -> None:
    """After the wait, or without another node, the setting decides."""
    waits = decision(changed(), owner(), Others.READY, Disruption.NONE)
    assert {failure.reason for failure in waits.held.values()} == {Reason.MOVING, Reason.WAITING}
    held = decision(changed(), owner(), Others.NONE, Disruption.NONE)
    assert Reason.HELD in {failure.reason for failure in held.held.values()}
