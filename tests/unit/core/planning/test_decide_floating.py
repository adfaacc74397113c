"""The decision about floating portal groups: a pass leaves their enablement to their leases."""

from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import Decision, PassInput, compare, decide
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.guard import MassRemoval
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING, LUN, MIXED, H, T

KEY: lio_objects.Key = ("enabled", T, 1001)
HERE = (IscsiSession(T, 1001, H, LOGGED_IN),)


def given(lunmap: Lunmap = FLOATING, **fields: object) -> PassInput:
    """Return the input of a pass of n1."""
    return replace(PassInput("n1", 1, lunmap, {}, Vault("c")), **fields)


def owner(lunmap: Lunmap = FLOATING) -> Observed:
    """Return the kernel of n1 as the owner of the group, with a host in it."""
    return Observed(project_map(lunmap, "n1"), sessions=HERE)


def standby(lunmap: Lunmap = FLOATING) -> Observed:
    """Return the kernel of n1 while another node owns the group."""
    return Observed({key: item for key, item in project_map(lunmap, "n1").items() if key != KEY})


def decision(by: PassInput, observed: Observed, known: DriftBaseline | None = None) -> Decision:
    """Decide a pass."""
    return decide(by, compare(by, observed), known, {}, {})


def changes(of: Decision) -> list[tuple[Action, lio_objects.Key]]:
    """Return the steps that are executed."""
    return [(step.action, lio_objects.key_of(step.item)) for step in of.steps]


DISABLES = [(Action.DELETE, KEY)]


def test_a_pass_leaves_the_group_as_it_is() -> None:
    """Whether it is enabled is decided beside the passes, so that is no difference and no drift."""
    assert decision(given(), owner()).steps == decision(given(), standby()).steps == ()
    after = DriftBaseline(compare(given(), owner()).desired)
    before = DriftBaseline(compare(given(), standby()).desired)
    assert decision(given(), standby(), after).held == decision(given(), owner(), before).held == {}


def luns(numbers: range) -> dict[str, Lun]:
    """Return Luns at these numbers."""
    return {
        f"l{number}": Lun(FileIO(f"/srv/{number}"), f"{number:04x}" * 8, 1 << 20, maps=(Map(T, number, H),))
        for number in numbers
    }


def test_a_held_mass_removal_leaves_the_group_as_it_is() -> None:
    """Nothing is executed while the removal waits for a confirmation."""
    many, few = replace(FLOATING, luns=luns(range(9))), replace(FLOATING, luns=luns(range(1)))
    for kernel in (owner(many), standby(many)):
        held = decision(given(few), kernel)
        assert (held.blocked, held.steps) == (MassRemoval("mapped LUNs", 8, 9), ())


def test_an_unreadable_document_leaves_the_group_as_it_is() -> None:
    """All its objects stay."""
    without = given(replace(FLOATING, targets={}), unreadable={f"targets/{T}": "not JSON"})
    assert decision(without, owner()).steps == decision(without, standby()).steps == ()


def test_the_group_follows_the_map_while_the_document_of_a_node_is_unreadable() -> None:
    """Remote TPGs stay as they were, since their tags are not known; a group's own TPG is known."""
    nodes = {name: node for name, node in MIXED.nodes.items() if name != "n3"}
    targets = {T: replace(MIXED.targets[T], nodes={"n1": MIXED.targets[T].nodes["n1"]})}
    two = replace(MIXED, luns={"a": LUN, **luns(range(1))})
    fewer = replace(two, nodes=nodes, targets=targets, luns=luns(range(1)))
    steps = decision(given(fewer, unreadable={"nodes/n3": "not JSON"}), owner(two)).steps
    assert (Action.DELETE, ("mapped_lun", T, 1001, H, 3)) in {
        (step.action, lio_objects.key_of(step.item)) for step in steps
    }
    assert not any(getattr(step.item, "tag", 0) == 3 for step in steps)


def test_isolation_disables_the_group() -> None:
    """An isolated node serves nobody; its lease can't be renewed either."""
    assert changes(decision(given(enablement=Enablement.NONE), owner())) == DISABLES


def test_a_removed_group_is_removed_as_any_tpg() -> None:
    """With the target goes the TPG of the group, enabled or not."""
    gone = given(replace(FLOATING, luns={}, targets={}, initiators={H: Initiator()}))
    for kernel, enabled in ((owner(), True), (standby(), False)):
        steps = decision(gone, kernel).steps
        assert (KEY in {lio_objects.key_of(step.item) for step in steps}) is enabled
        assert {step.action for step in steps} == {Action.DELETE}
