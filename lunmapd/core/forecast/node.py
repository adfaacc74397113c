"""What one node would do after a commit, decided by the functions by which the node itself decides.

The node is assumed to be as the map before the commit says, with the logins of its last status. What else its
decision depends on, such as its setting `allow`, is in its status, too.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.disruption import DISRUPTION_WORDS, Disruption
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.group_owners import owned_luns, owned_tpgs
from lunmapd.core.fleet.logins import hides_logins
from lunmapd.core.fleet.status import DecisionLimits, NodeStatus
from lunmapd.core.forecast.notes import lease_notes, status_notes
from lunmapd.core.forecast.standing import NodeOutlook
from lunmapd.core.history.changes import Allowance
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Login, Observed
from lunmapd.core.node.projection.leases import as_leased, as_opened
from lunmapd.core.planning.decide import Comparison, Decision, PassInput, compare, decide, impacts
from lunmapd.core.planning.disruption_limit import allowed_disruption
from lunmapd.core.planning.former import Former, FormerLuns, HolderRecord, held_luns, hosts_of, record_change
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.hosts import Hosts, TargetHost, add_hosts
from lunmapd.core.planning.impact import Impact, Logins
from lunmapd.core.planning.other_data import AddressRules, allowed_reuse
from lunmapd.core.planning.plan import Action, Step, disruption
from lunmapd.core.secrets.sealing import UnknownKeyError, sealed_with

_USUAL = DecisionLimits(Disruption.DATA_UNREACHABLE.word, RemovalLimits().share, RemovalLimits().minimum)
_NEVER_REPORTED = NodeStatus("", "", "", former_since=0, limits=_USUAL, features=(PORT_ID,))
"""Stands for the status of a node that has none: nobody is logged in there."""


class ForeseenCommit(Struct, frozen=True):
    """A commit that may be made: the effective map `before` it, at `revision`, and the map `after` it.

    `allowance` is the override that would be in effect then; `now` is RFC 3339 in UTC, to the second. `whole`
    is the map before the commit if `before` and `after` are only parts of the maps (reduce.py).
    """

    before: Lunmap
    after: Lunmap
    revision: int
    allowance: Allowance | None = None
    now: str = ""
    whole: Lunmap | None = None


class StepForecast(Struct, frozen=True):
    """One step. `disruption` is its class for the `hosts` that are logged in and affected.

    A step with a sentence in `held` would not be executed; `held_for` is the reason as a status has it.
    """

    action: str
    object: str
    reason: str
    disruption: str
    hosts: tuple[str, ...] = ()
    held: str = ""
    held_for: str = ""

    @property
    def is_held(self) -> bool:
        """Whether the step waits for somebody; a LUN number that stays empty for a while waits for nobody."""
        return self.held_for not in {"", Reason.LEFT_EMPTY}


class HostForecast(Struct, frozen=True):
    """The worst class of disruption for a host that is logged in, and the Luns that it concerns, if any."""

    initiator: str
    disruption: str
    luns: tuple[str, ...] = ()

    @property
    def is_disturbed(self) -> bool:
        """Whether the host loses a path at least; a unit attention disturbs nobody."""
        return DISRUPTION_WORDS[self.disruption] >= Disruption.PATH_LOSS


class NodeForecast(Struct, frozen=True):
    """What a node would do. `outlook` is its present state, `detail` what that means for its steps.

    `hosts` are those that notice anything of the steps that it would execute. `mass_removal` says what it
    would remove if the removal were confirmed; until then it executes only the steps that are not held.
    `failing` are the objects that it could not make. `logins_at` is the time of the status that the logins
    are from, "" if there is none; without `logins_listed` every initiator with access counts as logged in.
    `notes` say what is assumed, and what leases change beside the steps.
    """

    node: str
    outlook: NodeOutlook
    detail: str = ""
    steps: tuple[StepForecast, ...] = ()
    hosts: tuple[HostForecast, ...] = ()
    mass_removal: str = ""
    failing: tuple[str, ...] = ()
    logins_at: str = ""
    logins_listed: bool = True
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the node would hold steps."""
        return bool(self.mass_removal) or any(step.is_held for step in self.steps)


class _Assumed(Struct, frozen=True):
    """A node as the map before the commit says: its status, the kernel, and what can't be had."""

    status: NodeStatus
    observed: Observed
    failing: AbstractSet[lio_objects.Key]
    notes: tuple[str, ...]


class _SealedTexts(Struct, frozen=True):
    """Passwords that stand for themselves: a sealed text that changes counts as another password.

    `keys` are the ids of the node's keys, None for every key.
    """

    keys: AbstractSet[str] | None

    def open(self, _path: str, _field: str, sealed: str) -> Secret:
        """Return a text that is different for each sealed text. Raises UnknownKeyError, MalformedError."""
        key = sealed_with(sealed)
        if self.keys is not None and key not in self.keys:
            raise UnknownKeyError(key)
        return Secret(hashlib.sha256(sealed.encode()).hexdigest())


def forecast_node(
    name: str, change: ForeseenCommit, outlook: NodeOutlook, status: NodeStatus | None, logins: Logins
) -> NodeForecast:
    """Return what the node would do, if it is in the map after the commit.

    `status` is its last one, None if it never wrote any. `logins` are those of all live, healthy nodes.
    """
    assumed = _assume(name, change, status)
    given = _input(name, change, assumed.status)
    comparison = _with_total(compare(given, assumed.observed), change, given)
    others = {node: hosts for node, hosts in logins.items() if node != name}
    decision = decide(given, comparison, None, {}, others)
    planned = tuple(_planned(given, comparison, decision, others))
    return NodeForecast(
        node=name,
        outlook=outlook,
        steps=tuple(step for step, _ in planned),
        hosts=_hosts([impact for step, impact in planned if not step.held]),
        mass_removal="" if decision.blocked is None else str(decision.blocked),
        failing=tuple(_failing(comparison.desire, assumed.failing)),
        logins_at="" if status is None else status.time,
        logins_listed=not hides_logins(assumed.status),
        notes=(*assumed.notes, *lease_notes(name, change.before, change.after)),
    )


def _assume(name: str, change: ForeseenCommit, status: NodeStatus | None) -> _Assumed:
    known = status or _NEVER_REPORTED
    features = frozenset((PORT_ID,) if known.limits is None else known.features)
    bare = compute_desired(change.before, {}, name, Observed(features=features), _secrets(known))
    owned = {("enabled", *tpg) for tpg in owned_tpgs(change.before, known)}
    objects = as_opened(as_leased(bare.objects, owned), owned_luns(change.before, known))
    itself = change.before.nodes.get(name)
    sessions = () if itself is None else tuple(_sessions(known, itself.tpg_tag, objects))
    observed = Observed(objects, features=features, sessions=sessions)
    return _Assumed(known, observed, bare.failures.keys(), tuple(status_notes(known)))


def _with_total(comparison: Comparison, change: ForeseenCommit, given: PassInput) -> Comparison:
    """Return the comparison with all objects of the node, if so much is removed that the guard counts."""
    gone = sum(step.action is Action.DELETE for step in comparison.steps)
    if change.whole is None or gone <= given.limits.minimum:
        return comparison
    features = comparison.observed.features
    every = compute_desired(change.whole, {}, given.node, Observed(features=features), given.vault)
    return replace(comparison, total=every.objects)


def _secrets(status: NodeStatus) -> _SealedTexts:
    return _SealedTexts(None if status is _NEVER_REPORTED else frozenset(status.keys))


def _sessions(status: NodeStatus, tag: int, objects: lio_objects.DesiredObjects) -> Iterator[IscsiSession]:
    """Yield the sessions of a node whose own TPGs have this tag.

    A login may be in any TPG of its target that is enabled, so it counts in each.
    """
    enabled = defaultdict[str, list[int]](list)
    for item in objects.values():
        if isinstance(item, lio_objects.Enabled):
            enabled[item.iqn].append(item.tag)
    logins: Iterable[Login] = status.logins
    if hides_logins(status):
        acls = (item for item in objects.values() if isinstance(item, lio_objects.NodeAcl))
        logins = sorted({Login(item.iqn, item.initiator) for item in acls if item.tag in enabled[item.iqn]})
    for login in logins:
        for each in enabled.get(login.target) or (tag,):
            yield IscsiSession(login.target, each, login.initiator, LOGGED_IN)


def _input(name: str, change: ForeseenCommit, status: NodeStatus) -> PassInput:
    limits = status.limits or _USUAL
    usual = DISRUPTION_WORDS.get(limits.allow, Disruption.DATA_UNREACHABLE)
    return PassInput(
        node=name,
        revision=change.revision + 1,
        lunmap=change.after,
        unreadable={},
        vault=_secrets(status),
        limits=RemovalLimits(limits.removal_limit, limits.removal_minimum),
        allow=allowed_disruption(usual, change.allowance, name, change.now),
        addresses=AddressRules(
            _former(name, change, status), allowed_reuse(change.allowance, name, change.now)
        ),
    )


def _former(name: str, change: ForeseenCommit, status: NodeStatus) -> FormerLuns:
    """Return the former occupants that the node would know once it has read the map after the commit."""
    known: dict[LunAddress, tuple[Former, ...]] = {}
    for each in status.former:
        address = LunAddress(each.target, each.initiator, each.lun)
        known[address] = (*known.get(address, ()), Former(each.name, each.serial, each.revision))
    record = HolderRecord(status.former_since or 0, known, _holders(name, change.before, status))
    return held_luns(record_change(record, change.before, change.after, name, change.revision + 1))


def _holders(name: str, before: Lunmap, status: NodeStatus) -> Hosts:
    """Return the hosts that may have devices of this node: all of them, if the status does not list them."""
    listed = (*status.logins, *status.holders)
    hosts = Hosts(unsure=frozenset(login.target for login in listed if not login.initiator))
    hosts = add_hosts(hosts, (TargetHost(login.target, login.initiator) for login in listed))
    is_listed = status.limits is not None and status.former_since is not None
    if is_listed and not hides_logins(status) and status.holders_count <= len(status.holders):
        return hosts
    return add_hosts(hosts, hosts_of(before, name))


def _planned(
    given: PassInput, comparison: Comparison, decision: Decision, logins: Logins
) -> Iterator[tuple[StepForecast, tuple[Step, Impact]]]:
    executed = {(step.action, lio_objects.key_of(step.item)) for step in decision.steps}
    for step, impact in impacts(given, comparison, logins):
        key = lio_objects.key_of(step.item)
        held = None if (step.action, key) in executed else _why(decision, key)
        hosts = tuple(sorted({session.initiator for session in impact.sessions}))
        shown = StepForecast(
            step.action,
            lio_objects.show_key(key),
            step.reason,
            impact.now.word,
            hosts,
            "" if held is None else held.message,
            "" if held is None else held.reason,
        )
        yield shown, (step, impact)


def _why(decision: Decision, key: lio_objects.Key) -> Failure:
    if key in decision.held:
        return decision.held[key]
    sentence = f"the node would {decision.blocked}: it waits until 'lunmapctl confirm' allows that"
    return Failure(Reason.REMOVAL_HELD, sentence)


def _hosts(steps: list[tuple[Step, Impact]]) -> tuple[HostForecast, ...]:
    worst: dict[str, Disruption] = {}
    luns: dict[str, set[str]] = {}
    for step, impact in steps:
        for initiator in {session.initiator for session in impact.sessions}:
            now = Disruption.DATA_UNREACHABLE if initiator in impact.cut_off else disruption(step)
            if now > worst.get(initiator, Disruption.NONE):
                worst[initiator], luns[initiator] = now, set()
            if now is worst.get(initiator) and (lun := lio_objects.lun_served_by(step.item)):
                luns[initiator].add(lun)
    return tuple(
        HostForecast(initiator, each.word, tuple(sorted(luns[initiator])))
        for initiator, each in sorted(worst.items())
    )


def _failing(desire: Desired, before: AbstractSet[lio_objects.Key]) -> Iterator[str]:
    """Yield the objects that the node can't have as the map says, and could before."""
    for key, failure in desire.failures.items():
        if key not in before and failure.reason != Reason.WAITING:
            yield f"{lio_objects.show_key(key)}: {failure.reason}: {failure.message}"
