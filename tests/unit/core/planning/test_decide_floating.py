"""The decision about floating portal groups: a TPG that no lease lets be enabled is disabled in any case."""

from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, TpgId
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.planning.decide import Decision, PassInput, compare, decide
from lunmapd.core.planning.drift import CLASSES, DriftBaseline
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.guard import MassRemoval
from lunmapd.core.planning.plan import Action, Disruption
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING, LUN, MIXED, TPG, H, T

KEY: lio_objects.Key = ("enabled", T, 1001)
OWNED = frozenset({TPG})
HERE = (IscsiSession(T, 1001, H, LOGGED_IN),)


def given(lunmap: Lunmap = FLOATING, **fields: object) -> PassInput:
    """Return the input of a pass of n1."""
    return replace(PassInput("n1", 1, lunmap, {}, Vault("c"), owned=frozenset()), **fields)


def kernel(lunmap: Lunmap = FLOATING, owned: frozenset[TpgId] = OWNED) -> Observed:
    """Return the kernel of n1 as the map and the leases ask for it, with a host in the group."""
    return Observed(compare(given(lunmap, owned=owned), Observed()).desired, sessions=HERE)


def decision(by: PassInput, observed: Observed, known: DriftBaseline | None = None) -> Decision:
    """Decide a pass."""
    return decide(by, compare(by, observed), known, {}, {})


def changes(of: Decision) -> list[tuple[Action, lio_objects.Key]]:
    """Return the steps that are executed."""
    return [(step.action, lio_objects.key_of(step.item)) for step in of.steps]


DISABLES = [(Action.DELETE, KEY)]


def test_a_lease_enables_and_disables() -> None:
    """An owner is as desired; its TPG is disabled once the lease is lost, and enabled once there is one."""
    assert decision(given(owned=OWNED), kernel()).steps == ()
    assert changes(decision(given(), kernel())) == DISABLES
    standby = kernel(owned=frozenset())
    assert changes(decision(given(owned=OWNED), standby)) == [(Action.CREATE, KEY)]


def test_no_setting_keeps_an_unowned_group_enabled() -> None:
    """Neither drift that is only reported, nor the disruption limit, nor the number of mapped LUNs behind."""
    enabled = kernel()
    known = DriftBaseline(compare(given(), Observed()).desired)
    assert changes(decision(given(report=frozenset(CLASSES)), enabled, known)) == DISABLES
    assert changes(decision(given(allow=Disruption.NONE), enabled)) == DISABLES
    many = replace(FLOATING, luns=luns(range(9)))
    assert changes(decision(given(many), kernel(many))) == DISABLES


def test_a_pass_that_knows_no_leases_leaves_the_group_as_it_is() -> None:
    """The leases are followed beside the passes: none of these enables or disables the TPG."""
    assert decision(given(owned=None), kernel()).steps == ()
    assert decision(given(owned=None), kernel(owned=frozenset())).steps == ()


def luns(numbers: range) -> dict[str, Lun]:
    """Return Luns at these numbers."""
    return {
        f"l{number}": Lun(FileIO(f"/srv/{number}"), f"{number:04x}" * 8, 1 << 20, maps=(Map(T, number, H),))
        for number in numbers
    }


def test_a_held_mass_removal_holds_no_disablement() -> None:
    """While the removal waits for a confirmation, the unowned group is disabled, and the owned one stays."""
    many, few = replace(FLOATING, luns=luns(range(9))), replace(FLOATING, luns=luns(range(1)))
    held = decision(given(few), kernel(many))
    assert held.blocked == MassRemoval("mapped LUNs", 8, 9)
    assert changes(held) == DISABLES
    assert decision(given(few, owned=OWNED), kernel(many)).steps == ()


def test_an_unreadable_document_keeps_no_unowned_group_enabled() -> None:
    """Its objects stay as they are, except for that."""
    bad = {f"targets/{T}": "not JSON"}
    without = replace(FLOATING, targets={})
    assert changes(decision(given(without, unreadable=bad), kernel())) == DISABLES
    assert decision(given(without, unreadable=bad, owned=OWNED), kernel()).steps == ()


def test_the_group_follows_the_map_while_the_document_of_a_node_is_unreadable() -> None:
    """Remote TPGs stay as they were, since their tags are not known; a group's own TPG is known."""
    nodes = {name: node for name, node in MIXED.nodes.items() if name != "n3"}
    targets = {T: replace(MIXED.targets[T], nodes={"n1": MIXED.targets[T].nodes["n1"]})}
    more = replace(MIXED, nodes=nodes, targets=targets, luns={"a": LUN, **luns(range(1))})
    steps = decision(given(more, unreadable={"nodes/n3": "not JSON"}, owned=OWNED), kernel(MIXED)).steps
    assert ("mapped_lun", T, 1001, H, 0) in {lio_objects.key_of(step.item) for step in steps}
    assert all(step.action is Action.CREATE for step in steps)
    assert not any(getattr(step.item, "tag", 0) == 3 for step in steps)


def test_isolation_disables_an_owned_group_too() -> None:
    """An isolated node serves nobody; its lease can't be renewed either."""
    assert changes(decision(given(owned=OWNED, enablement=Enablement.NONE), kernel())) == DISABLES


def test_a_removed_group_is_removed_as_any_tpg() -> None:
    """With the target goes the TPG of the group, and a lease for it concerns nothing."""
    gone = replace(FLOATING, luns={}, targets={}, initiators={H: Initiator()})
    steps = decision(given(gone, owned=OWNED), kernel()).steps
    assert KEY in {lio_objects.key_of(step.item) for step in steps}
    assert {step.action for step in steps} == {Action.DELETE}
