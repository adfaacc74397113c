"""The decision of a reconcile pass: the steps that it executes now, and why it withholds the others. Pure.

The daemon, `lunmapd plan`, `lunmapd adopt --check` and the tests call these functions, so that they agree.
`compare` returns the plan from the observed objects to the desired ones. `decide` removes steps from it,
in an order on which safety depends; each check sees only the steps that the one before it left:

1. drift (drift.py): changes made outside lunmapd, of the classes that are only reported, are not repaired;
2. other data (backings.py): what was opened is not replaced by other data that came under its path;
3. mass removal (guard.py): if too much would be removed without a confirmation, only isolation and the drain
   of the node go on (enablement.py), and access that was opened out of band is closed (drift.py);
4. back-off: steps that failed recently are withheld until they are due;
5. LUN addresses (other_data.py): a LUN number of a host that may still hold another Lun there is not given to
   this one;
6. moving (moving.py): what disturbs the hosts of a floating group waits until another node serves it;
7. disruption (disruption_limit.py): steps that disrupt initiators more than allowed are withheld;
8. draining (draining.py): a drained node keeps its TPGs enabled until hosts use other paths;
9. emptying (other_data.py): a LUN number that goes to another Lun stays empty for a while.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Lunmap, is_drained
from lunmapd.core.history.map_change import MapChange
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_reads import ReadProblems, read_failures
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.desired_delta import Delta
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import RecordedDocuments, accept_edits
from lunmapd.core.node.portals import PortalProblems, portal_failures, serving_portals
from lunmapd.core.node.projection.leases import as_leased
from lunmapd.core.planning import drift, guard
from lunmapd.core.planning.backings import opens_other_data, returned_keys, withhold_other_data
from lunmapd.core.planning.disruption_limit import limit_disruption
from lunmapd.core.planning.draining import keep_used_tpgs
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.enablement import (
    Enablement,
    Offered,
    change_enablement_only,
    enabled_objects,
    limit_enablement,
)
from lunmapd.core.planning.guard import MassRemoval, RemovalLimits
from lunmapd.core.planning.impact import AccessPaths, Audience, Disruptions, Impact, Logins, find_disruptions
from lunmapd.core.planning.moving import Groups, ServedGroup, wait_for_moves
from lunmapd.core.planning.other_data import AddressRules, hold_other_data, leave_empty
from lunmapd.core.planning.plan import Action, Plan, Step, disruption, find_removals, plan
from lunmapd.core.planning.withhold import Permitted, withhold_steps
from lunmapd.core.secrets.sealing import SecretOpener

Deferred = Mapping[lio_objects.Key, Failure]
"""The objects whose next attempt is not due yet, each with its last failure."""


class PassInput(Struct, frozen=True):
    """The input of a pass of one node, besides the observed objects and the state that earlier passes left.

    `lunmap` is the map at `revision`; `unreadable` maps the path of each document that can't be decoded to
    the reason; `edited` is as in core/node/out_of_band.py. `vault` decrypts the secrets. `confirmed` is the
    map up to which removals are confirmed, None without a confirmation. `decided` are the keys of the
    objects whose removal an earlier pass decided and could not finish. `limits`, `allow` and `report` are
    settings: what counts as a mass removal, the highest class of disruption, and the classes of objects
    (drift.CLASSES) whose drift is only reported. `enablement` says which TPGs may be enabled; a held pass
    enables only the `offered` ones again. `portals` are the problems of portals that were found from outside
    LIO, `unread` those of files and devices that the node has tried to read. `addresses` are the former
    occupants of LUN addresses, and what is allowed there. `served` are the floating groups that this node
    owns. `busy` are the TPGs of a drained node that hosts still use, by the key of the Enabled. `change`
    leads to `lunmap` from the map that was read before, if that is known.
    """

    node: str
    revision: int
    lunmap: Lunmap
    unreadable: Mapping[str, str]
    vault: SecretOpener
    edited: RecordedDocuments = {}
    confirmed: Lunmap | None = None
    decided: AbstractSet[lio_objects.Key] = frozenset()
    limits: RemovalLimits = RemovalLimits()
    enablement: Enablement = Enablement.ALL
    offered: Offered = {}
    allow: Disruption = Disruption.DATA_UNREACHABLE
    report: AbstractSet[str] = frozenset()
    portals: PortalProblems = {}
    unread: ReadProblems = {}
    addresses: AddressRules = AddressRules()
    served: Groups = ()
    busy: Mapping[lio_objects.Key, Failure] = {}
    change: MapChange | None = None


class Comparison(Struct, frozen=True):
    """The desired and the observed objects of a full or a partial pass, and the plan between them.

    `lunmap` is the effective map, `desire` what it asks of the node, with the failures of what it can't have;
    `desired` is `desire.objects` without the TPGs that isolation keeps disabled. `observed` are the objects
    compared. `total` are all objects of the node, against which the removals are measured: the same ones in a
    full pass, those of the last full pass in a partial one, which also does not observe the sessions.
    """

    lunmap: Lunmap
    desire: Desired
    desired: lio_objects.DesiredObjects
    observed: Observed
    steps: Plan
    total: lio_objects.Objects
    is_full: bool = True

    @property
    def kept_disabled(self) -> AbstractSet[lio_objects.Key]:
        """The keys of the Enabled objects that the map asks for and isolation keeps away."""
        return self.desire.objects.keys() - self.desired.keys()


class Decision(Struct, frozen=True):
    """What a pass executes, and why it leaves out the rest of the plan.

    `steps` are executed, in order. `held` gives the reason for each object that has a step withheld.
    `blocked` is the mass removal that needs a confirmation; then `steps` only disable or enable TPGs, as
    isolation or a drain demands, and close access that was opened out of band. `removals` are the keys of
    the objects that the pass was permitted to remove, whether it can do it now or not. `disruptions` is the
    class of disruption of each step that is executed, 0 if it is not in it. `emptying` maps the creations
    whose LUN number must be empty for a while to the seconds that are left. `disturbed` are the floating
    groups whose hosts the plan disturbs, whether that waits or not.
    """

    steps: Plan = ()
    held: Mapping[lio_objects.Key, Failure] = {}
    blocked: MassRemoval | None = None
    removals: AbstractSet[lio_objects.Key] = frozenset()
    disruptions: Disruptions = {}
    emptying: Mapping[lio_objects.Key, float] = {}
    disturbed: tuple[ServedGroup, ...] = ()


def compare(given: PassInput, observed: Observed) -> Comparison:
    """Compare everything that the map asks of the node with everything that was observed there."""
    accepted = accept_edits(given.lunmap, given.edited, given.unreadable.keys())
    want = compute_desired(accepted.lunmap, given.unreadable, given.node, observed, given.vault)
    want = replace(want, objects=as_leased(want.objects, observed.objects.keys()))
    serving = serving_portals(observed.objects)
    unreachable = portal_failures(given.portals, serving)
    unread = read_failures(given.unread, observed.objects)
    want = replace(want, failures={**unread, **want.failures, **accepted.failures, **unreachable})
    desired = limit_enablement(want.objects, observed.objects, given.enablement)
    steps = plan(desired, observed.objects)
    return Comparison(accepted.lunmap, want, desired, observed, steps, observed.objects)


def compare_part(
    given: PassInput,
    part: Delta,
    observed: lio_objects.Objects,
    baseline: DriftBaseline | None,
    total: lio_objects.Objects,
) -> Comparison:
    """Compare the objects that a change of the map concerns; `baseline` holds what is desired beside them.

    A partial pass is made only where no out-of-band edit is rejected, so the map is the effective one.
    """
    steps = plan(part.desired, observed)
    before = {} if baseline is None else baseline.desired
    # Whether initiators stop using a path without LUN 0 depends on whether its TPG stays enabled (impact.py).
    closing = (lio_objects.answering_tpg(step.item) for step in steps)
    beside = {key: before[key] for key in closing if key is not None and key in before}
    want = Desired({**part.desired, **beside}, {})
    return Comparison(given.lunmap, want, part.desired, Observed(observed), steps, total, is_full=False)


def asks_for_logins(comparison: Comparison) -> bool:
    """Return whether the decision depends on who is logged in at other nodes.

    To read that costs two znodes a node.
    """
    is_anyone_here = bool(comparison.observed.sessions) or not comparison.is_full
    return is_anyone_here and any(disruption(step) >= Disruption.PATH_LOSS for step in comparison.steps)


def decide(
    given: PassInput,
    comparison: Comparison,
    baseline: DriftBaseline | None,
    deferred: Deferred,
    logins: Logins,
) -> Decision:
    """Return which steps of the plan are executed now.

    `baseline` is what was last observed as desired, None if that is not known; `logins` are the initiators
    that are logged in at each other node, which may be empty unless `asks_for_logins`.
    """
    ways = _ways(given, comparison, logins)
    repaired = _without_reported_drift(given, comparison, comparison.desired, baseline)
    safe = withhold_other_data(repaired.steps, comparison.observed, given.addresses.reuse)
    blocked = _mass_removal(given, comparison, safe.steps)
    if blocked is not None:
        changed = _change_enablement(given, comparison, baseline, ways)
        steps = (*drift.closing_steps(repaired.steps, comparison.observed.objects), *changed.steps)
        disruptions = _disruptions(given, comparison, steps, ways)
        return Decision(steps, changed.held, blocked, disruptions=disruptions)
    due = _without_deferred(safe.steps, deferred)
    wanted = comparison.desire.objects
    known = hold_other_data(due.steps, wanted, given.addresses)
    moving = wait_for_moves(known.steps, comparison.observed, ways, given.served)
    permitted = limit_disruption(moving.permitted.steps, comparison.observed, ways, given.allow)
    used = keep_used_tpgs(permitted.steps, given.busy)
    emptying = leave_empty(used.steps, wanted, comparison.observed.objects, given.addresses)
    held = {
        **emptying.waiting,
        **used.held,
        **permitted.held,
        **moving.permitted.held,
        **known.held,
        **due.held,
        **safe.held,
        **repaired.held,
    }
    return Decision(
        emptying.steps,
        held,
        None,
        guard.removed_keys(safe.steps),
        _disruptions(given, comparison, emptying.steps, ways),
        emptying.seconds,
        moving.disturbed,
    )


def impacts(given: PassInput, comparison: Comparison, logins: Logins) -> Iterator[tuple[Step, Impact]]:
    """Yield each step of the plan, executed or not, with what initiators notice of it."""
    audience = Audience(comparison.observed, _ways(given, comparison, logins))
    for step in comparison.steps:
        impact = audience.impact(step)
        if _leads_to_other_data(given, comparison, step):
            impact = replace(impact, worst=Disruption.OTHER_DATA, now=Disruption.OTHER_DATA)
        yield step, impact


def _disruptions(given: PassInput, comparison: Comparison, steps: Plan, ways: AccessPaths) -> Disruptions:
    """Return the class of each of the steps; 0 is left out."""
    usual = find_disruptions(steps, comparison.observed, ways, sessions_observed=comparison.is_full)
    other = {
        (step.action, lio_objects.key_of(step.item)): Disruption.OTHER_DATA
        for step in steps
        if _leads_to_other_data(given, comparison, step)
    }
    return {**usual, **other}


def _leads_to_other_data(given: PassInput, comparison: Comparison, step: Step) -> bool:
    """Return whether a step leads hosts to other data: by a LUN address, or by the path of a backing."""
    reuses = bool(given.addresses.others(step, comparison.desire.objects))
    return reuses or opens_other_data(step, comparison.observed.objects)


def _change_enablement(
    given: PassInput, comparison: Comparison, baseline: DriftBaseline | None, ways: AccessPaths
) -> Permitted:
    """Return the steps that enable or disable TPGs in a held pass.

    The pass that is confirmed enables those that were disabled out of band, and removes the leftovers.
    """
    still = change_enablement_only(
        comparison.desire.objects,
        comparison.observed.objects,
        given.enablement,
        given.offered,
        is_drained=is_drained(comparison.lunmap, given.node),
    )
    changes = _without_reported_drift(given, comparison, still, baseline)
    steps = tuple(
        step
        for step in changes.steps
        if isinstance(step.item, lio_objects.Enabled) and not (step.drift and step.action is Action.CREATE)
    )
    if given.enablement is Enablement.NONE:
        return Permitted(steps, changes.held)
    permitted = limit_disruption(steps, comparison.observed, ways, given.allow)
    return Permitted(permitted.steps, {**permitted.held, **changes.held})


def _without_deferred(steps: Plan, deferred: Deferred) -> Permitted:
    keys = ((step.action, lio_objects.key_of(step.item)) for step in steps)
    return withhold_steps(steps, {(action, key): deferred[key] for action, key in keys if key in deferred})


def _ways(given: PassInput, comparison: Comparison, logins: Logins) -> AccessPaths:
    return AccessPaths(comparison.lunmap, given.node, comparison.desire.objects, logins)


def _without_reported_drift(
    given: PassInput,
    comparison: Comparison,
    desired: lio_objects.DesiredObjects,
    baseline: DriftBaseline | None,
) -> Permitted:
    observed = comparison.observed.objects
    steps = comparison.steps if desired is comparison.desired else plan(desired, observed)
    return drift.withhold_drift(steps, desired, observed, baseline, given.report)


def _mass_removal(given: PassInput, comparison: Comparison, steps: Plan) -> MassRemoval | None:
    """Return the removals that need a confirmation and lack it.

    A partial pass leaves confirmations to a full one.
    """
    if not comparison.is_full:
        return guard.find_mass_removal(steps, comparison.total, given.limits)
    meant = given.decided | _meant_to_close(given, comparison)
    meant |= returned_keys(comparison.desired, comparison.total)
    unasked = guard.find_mass_removal(steps, comparison.total, given.limits, meant)
    if unasked is None or given.confirmed is None:
        return unasked
    confirmed = compute_desired(given.confirmed, {}, given.node, comparison.observed, given.vault)
    excused = meant | find_removals(confirmed.objects, comparison.total).keys()
    return guard.find_mass_removal(steps, comparison.total, given.limits, excused)


def _meant_to_close(given: PassInput, comparison: Comparison) -> AbstractSet[lio_objects.Key]:
    """Return the keys of the TPGs that isolation disables, or the state `drained` of the node."""
    enabled = enabled_objects(comparison.observed.objects).keys()
    if is_drained(comparison.lunmap, given.node):
        return enabled
    return enabled & comparison.desire.objects.keys()
