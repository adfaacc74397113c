"""The decision of a pass: what is executed, and what is withheld, by which check."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Authentication, Chap, Initiator, Lunmap, NodeState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desired_delta import Delta, DesiredView
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.planning.decide import (
    Decision,
    Deferred,
    PassInput,
    asks_for_logins,
    compare,
    compare_part,
    decide,
    impacts,
)
from lunmapd.core.planning.drift import CLASSES, DriftBaseline
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.guard import MassRemoval, RemovalLimits
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from support.agents import H, T, mapped_luns

TEN, TWO = mapped_luns(*range(10)), mapped_luns(8, 9)
HERE = (IscsiSession(T, 1, H, LOGGED_IN),)
ENABLED: lio_objects.Key = ("enabled", T, 1)


def given(lunmap: Lunmap, **fields: object) -> PassInput:
    """Return the input of a pass of n1."""
    return replace(PassInput("n1", 1, lunmap, {}, Vault("c")), **fields)


def desired(lunmap: Lunmap) -> lio_objects.DesiredObjects:
    """Return what a map asks for."""
    return compare(given(lunmap), Observed()).desired


def observed(lunmap: Lunmap, *sessions: IscsiSession) -> Observed:
    """Return the kernel as a map asks for it."""
    return Observed(desired(lunmap), sessions=sessions)


def decision(
    by: PassInput, kernel: Observed, known: DriftBaseline | None = None, deferred: Deferred | None = None
) -> Decision:
    """Decide a pass."""
    return decide(by, compare(by, kernel), known, deferred or {}, {})


def test_what_the_confirmed_map_removes_is_executed() -> None:
    """Removals that the confirmed map makes too go on; further ones of later revisions are judged anew."""
    kernel = observed(TEN)
    assert decision(given(TWO), kernel).blocked == MassRemoval("mapped LUNs", 8, 10)
    assert decision(given(TWO, confirmed=TWO), kernel).blocked is None
    assert decision(given(TWO, confirmed=mapped_luns(*range(4, 10))), kernel).blocked is None
    assert decision(given(TWO, confirmed=TEN), kernel).blocked == MassRemoval("mapped LUNs", 8, 10)


def test_what_an_earlier_pass_decided_is_not_asked_for_again() -> None:
    """Removals that it could not finish don't count."""
    kernel = observed(TEN)
    gone = decision(given(mapped_luns(*range(4, 10))), kernel).removals
    assert decision(given(TWO, decided=gone), kernel).blocked is None


def test_while_a_removal_is_held_only_isolation_goes_on() -> None:
    """Then no step is executed but those that disable TPGs."""
    kernel = observed(TEN)
    assert decision(given(TWO), kernel).steps == ()
    isolated = decision(given(TWO, enablement=Enablement.NONE), kernel)
    assert isolated.blocked is not None
    assert [(step.action, lio_objects.key_of(step.item)) for step in isolated.steps] == [
        (Action.DELETE, ENABLED)
    ]


def drained(lunmap: Lunmap) -> Lunmap:
    """Return a map in which the node is drained."""
    return replace(lunmap, nodes={"n1": replace(lunmap.nodes["n1"], state=NodeState.DRAINED)})


def test_a_held_pass_opens_only_what_isolation_closed() -> None:
    """A node that the last map drained stays so while a map that makes it active is held."""
    kernel = observed(drained(TEN))
    ended = decision(given(TWO), kernel)
    assert ended.blocked is not None
    assert ended.steps == ()
    offered = {ENABLED: desired(TEN)[ENABLED]}
    back = decision(given(TWO, offered=offered), kernel)
    assert [(step.action, lio_objects.key_of(step.item)) for step in back.steps] == [(Action.CREATE, ENABLED)]


def test_a_held_pass_leaves_a_tpg_that_was_disabled_out_of_band() -> None:
    """That is drift, whose repair waits with all other steps."""
    kernel = observed(drained(TEN))
    offered = {ENABLED: desired(TEN)[ENABLED]}
    assert decision(given(TWO, offered=offered), kernel, DriftBaseline(desired(TEN))).steps == ()


@pytest.mark.parametrize("enablement", list(Enablement))
def test_a_held_pass_drains(enablement: Enablement) -> None:
    """A map that drains the node and removes much closes its TPGs; the removals wait."""
    chosen = decision(given(drained(TWO), enablement=enablement), observed(TEN))
    assert chosen.blocked == MassRemoval("mapped LUNs", 8, 10)
    assert [(step.action, lio_objects.key_of(step.item)) for step in chosen.steps] == [
        (Action.DELETE, ENABLED)
    ]


def test_a_held_pass_drains_within_the_allowed_disruption() -> None:
    """The drain waits for logged-in initiators as in any other pass, unlike isolation."""
    by = given(drained(TWO), allow=Disruption.UNIT_ATTENTION)
    chosen = decision(by, observed(TEN, *HERE))
    assert chosen.blocked is not None
    assert (chosen.steps, chosen.held[ENABLED].reason) == ((), Reason.HELD)
    isolated = decision(replace(by, enablement=Enablement.NONE), observed(TEN, *HERE))
    assert [lio_objects.key_of(step.item) for step in isolated.steps] == [ENABLED]


OPENED = ("generate_node_acls", "1")


def opened(kernel: Observed, *settings: tuple[str, str]) -> Observed:
    """Return the kernel with these attributes of the TPG, and an ACL that decides on CHAP by itself."""
    tpg, acl = kernel.objects["tpg", T, 1], kernel.objects["acl", T, 1, H]
    assert isinstance(tpg, lio_objects.Tpg)
    assert isinstance(acl, lio_objects.NodeAcl)
    values = {**dict(tpg.attributes), **dict(settings)}
    altered = replace(tpg, attributes=tuple(values.items())), replace(acl, overrides_authentication=True)
    return Observed({**kernel.objects, **lio_objects.by_key(altered)})


@pytest.mark.parametrize("is_known", [True, False])
def test_a_held_pass_closes_what_was_opened(*, is_known: bool) -> None:
    """A TPG that takes everybody and an ACL with a rule of its own are corrected; the rest of them stays."""
    kernel = opened(observed(TEN), OPENED, ("login_timeout", "20"))
    chosen = decision(given(TWO), kernel, DriftBaseline(desired(TEN)) if is_known else None)
    assert chosen.blocked is not None
    after = {lio_objects.key_of(step.item): step.item for step in chosen.steps}
    closed = opened(observed(TEN), ("login_timeout", "20")).objects["tpg", T, 1]
    assert after == {("tpg", T, 1): closed, ("acl", T, 1, H): desired(TEN)["acl", T, 1, H]}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_held_pass_asks_for_chap_only_if_the_last_one_did(*, is_known: bool) -> None:
    """What a held map asks of a TPG waits; authentication that was turned off out of band is put back."""
    targets = {T: replace(TWO.targets[T], authentication=Authentication.CHAP)}
    hosts = {H: Initiator(chap=Chap("u", "v1:00000000:" + "A" * 50))}
    secure, before = (replace(lunmap, targets=targets, initiators=hosts) for lunmap in (TWO, TEN))
    known = DriftBaseline(desired(before)) if is_known else None
    chosen = decision(given(secure), observed(TEN), known)
    assert chosen.blocked is not None
    assert bool(chosen.steps) is is_known


@pytest.mark.parametrize("enablement", list(Enablement))
def test_a_leftover_waits_with_the_removals_that_are_held(enablement: Enablement) -> None:
    """A half-made object is never taken for a desired one, and a held pass does not remove it."""
    left = lio_objects.Leftover("storage_object", "core/fileio_10050/x")
    kernel = Observed({**observed(TEN).objects, lio_objects.key_of(left): left})
    chosen = decision(given(TWO, enablement=enablement), kernel)
    assert chosen.blocked is not None
    assert all(isinstance(step.item, lio_objects.Enabled) for step in chosen.steps)
    confirmed = decision(given(TWO, confirmed=TWO), kernel)
    assert left in [step.item for step in confirmed.steps]


def test_isolation_is_not_a_failure_but_what_is_withheld() -> None:
    """The Enabled objects are no step of the plan, and named apart."""
    comparison = compare(given(TEN, enablement=Enablement.KEPT), Observed())
    assert comparison.kept_disabled == {ENABLED}
    assert ENABLED not in {lio_objects.key_of(step.item) for step in comparison.steps}


def test_a_deferred_object_is_withheld_with_its_failure() -> None:
    """Its dependants wait, and all other steps are executed."""
    busy = Failure(Reason.IN_USE, "busy")
    chosen = decision(given(TWO), Observed(), deferred={("storage_object", "l8"): busy})
    assert chosen.held["storage_object", "l8"] == busy
    assert chosen.held["lun", T, 1, "l8"].reason == Reason.WAITING
    assert ("storage_object", "l9") in {lio_objects.key_of(step.item) for step in chosen.steps}


def test_drift_goes_before_the_guard() -> None:
    """An object added by hand, with `report`, is no removal to be confirmed."""
    kernel, known = observed(TEN), DriftBaseline(desired(TWO))
    reported = decision(given(TWO, report=frozenset(CLASSES)), kernel, known)
    assert (reported.blocked, reported.steps) == (None, ())
    assert {failure.reason for failure in reported.held.values()} <= {Reason.DRIFTED, Reason.WAITING}


@pytest.mark.parametrize(
    ("after", "sessions", "asks"),
    [(mapped_luns(1), HERE, True), (mapped_luns(1), (), False), (mapped_luns(1, 2, 3), HERE, False)],
)
def test_logins_are_asked_for_where_they_matter(
    after: Lunmap, sessions: tuple[IscsiSession, ...], *, asks: bool
) -> None:
    """Only somebody who is logged in here and loses a path may need one through another node."""
    assert asks_for_logins(compare(given(after), observed(mapped_luns(1, 2), *sessions))) is asks


def test_a_step_above_the_allowed_class_is_withheld() -> None:
    """The same map, kernel and settings say of each step whom it affects, executed or not."""
    by, kernel = given(mapped_luns(1), allow=Disruption.NONE), observed(mapped_luns(1, 2), *HERE)
    comparison = compare(by, kernel)
    chosen = decide(by, comparison, None, {}, {})
    assert chosen.steps == ()
    assert {
        impact.now
        for step, impact in impacts(by, comparison, {})
        if isinstance(step.item, lio_objects.MappedLun)
    } == {Disruption.DATA_UNREACHABLE}


def test_a_partial_pass_leaves_confirmations_to_a_full_one() -> None:
    """Its removals are measured against all objects of the node, and neither confirmed nor excused."""
    kernel, known = observed(TEN), DriftBaseline(desired(TEN))
    view = DesiredView(TEN, "n1", Vault("c"), frozenset(), known.desired)
    delta = view.delta_to(TWO)
    assert isinstance(delta, Delta)
    part = {key: item for key, item in kernel.objects.items() if key in delta.keys}
    by = given(TWO, confirmed=TWO)
    comparison = compare_part(by, delta, part, known, kernel.objects)
    assert asks_for_logins(comparison)
    assert decide(by, comparison, known, {}, {}).blocked == MassRemoval("mapped LUNs", 8, 10)
    # It does not observe who is logged in, so any initiator with an ACL counts as affected.
    few = given(TWO, limits=RemovalLimits(1.0, 0))
    chosen = decide(few, comparison, known, {}, {})
    assert chosen.steps == comparison.steps
    assert max(chosen.disruptions.values()) is Disruption.DATA_UNREACHABLE
