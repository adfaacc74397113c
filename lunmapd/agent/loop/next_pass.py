"""The next pass of a node's daemon, decided without executing it, and without writing anything.

Beside a running daemon this is its next full pass, if that began now; else the first pass of a daemon started
now, which knows no back-off and no removals decided earlier. It follows one cycle of agent.py: which map,
which TPGs may be enabled, which removals are confirmed, what is drift. What only the running daemon knows is
in its DaemonFile.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.loop.confirmations import confirmed_map
from lunmapd.agent.loop.daemon_state import DaemonFile, DaemonState, Deferral
from lunmapd.agent.loop.follow import read_accepted
from lunmapd.agent.loop.isolation import choose_enablement
from lunmapd.agent.loop.pass_input import Circumstances, NoMapError, pass_input, point_of
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.snapshot_fallback import assess_snapshot
from lunmapd.agent.reconcile.addresses import follow_change
from lunmapd.agent.reconcile.drain import DrainWatch
from lunmapd.agent.reconcile.reconcile import LioKernel
from lunmapd.agent.state.address_file import AddressFile, AddressFileDamagedError
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.agent.state.map_snapshot import KeptSnapshot, is_lost, load_kept
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey, baseline_from
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import ConditionUpdate, HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import Comparison, Decision, PassInput, compare, decide
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.former import held_luns, record_created, record_observation
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.other_data import AddressRules
from lunmapd.core.secrets.sealing import Keyring
from lunmapd.store.session.errors import NoAccessError, NodeNameTakenError, StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import map_at, read_revision
from lunmapd.store.tree.members import check_node_name, read_logins
from lunmapd.store.tree.refresh import read_again
from lunmapd.store.tree.snapshot import Snapshot


class Site(NamedTuple):
    """A node as its settings describe it.

    `keys` reads the key file; it may raise LunmapdError. `now` is a monotonic clock, `wall` Unix time.
    """

    node: str
    directory: Path
    policy: Policy
    keys: Callable[[], Keyring]
    identity: MachineId
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class NextPass(Struct, frozen=True):
    """A pass that is not made: what it compares and decides, and what that is based on.

    `source` says where the map is from. `logins` are the initiators that are logged in at each other node.
    `baseline` is the drift baseline. `deferrals` are the objects that are not tried yet, with monotonic
    times; `now` is the monotonic time of the decision. `is_running`: beside a running daemon. `notes` are
    sentences for people.
    """

    given: PassInput
    comparison: Comparison
    decision: Decision
    source: str
    logins: Logins
    baseline: DriftBaseline | None
    deferrals: Mapping[lio_objects.Key, Deferral]
    now: float
    is_running: bool
    notes: tuple[str, ...]


class _Map(Struct, frozen=True):
    """The map that the pass uses; `error` says why it is not read from ZooKeeper just now."""

    snapshot: Snapshot
    error: StoreError | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether ZooKeeper can be read further: servers that have just not answered are not asked again."""
        return not isinstance(self.error, NoAccessError)

    @property
    def source(self) -> str:
        """Where the map is from, for people."""
        if self.error is None:
            return "ZooKeeper"
        return f"the local snapshot, since ZooKeeper can't be read: {self.error}"


class _Node(NamedTuple):
    """What the node's files hold; `state` is None unless the daemon runs, `keys` are the ids of the keys."""

    site: Site
    state: DaemonState | None
    kept: KeptSnapshot | None
    seen: SeenFile
    keys: tuple[str, ...]


def decide_next_pass(site: Site, session: Session, kernel: LioKernel) -> NextPass:
    """Decide the next pass of the site's daemon. Raises LunmapdError where that daemon would make no pass."""
    began = site.now()
    state = DaemonFile(site.directory).read(site.identity.boot)
    keys, key_notes = _read_keys(site)
    node = _Node(site, state, load_kept(site.directory), SeenFile(site.directory), keys.ids)
    current = _read_map(node, session)
    enablement = _enablement(node, current, began)
    circumstances = _circumstances(node, session, current, enablement)
    given = pass_input(site.node, current.snapshot, _policy(node), keys, circumstances)
    comparison = compare(given, kernel.observe(Claims(site.directory).load()))
    rules = _address_rules(node, current, given, comparison)
    given = replace(
        given,
        addresses=rules,
        offered=node.seen.offered(site.node, site.identity.boot),
        served=() if state is None else state.served,
    )
    drain = DrainWatch(None if state is None else state.drain, site.now)
    given = replace(given, busy=drain.busy(given, comparison, kernel.count_commands))
    baseline, drift_notes = _baseline(node, session, current, given, comparison)
    deferrals = {} if state is None else state.due(point_of(current.snapshot), keys.ids, site.now())
    logins = _logins(session) if current.is_reachable else {}
    failures = {key: entry.failure for key, entry in deferrals.items()}
    return NextPass(
        given=given,
        comparison=comparison,
        decision=decide(given, comparison, baseline, failures, logins),
        source=current.source,
        logins=logins,
        baseline=baseline,
        deferrals=deferrals,
        now=site.now(),
        is_running=state is not None,
        notes=(*key_notes, *_policy_notes(node), *_enablement_notes(node, enablement), *drift_notes),
    )


def _address_rules(node: _Node, current: _Map, given: PassInput, comparison: Comparison) -> AddressRules:
    """Return what decides about creations at LUN addresses; the daemon records what it is based on."""
    site, before = node.site, None if node.kept is None else node.kept.snapshot
    try:
        known = AddressFile(site.directory, site.identity.boot).load()
    except AddressFileDamagedError:
        known = None
    record = follow_change(known, before, current.snapshot, site.node)
    record = record_observation(record, comparison.observed)
    record = record_created(record, comparison.lunmap, comparison.observed.objects)
    emptied = () if node.state is None else node.state.emptied
    seconds = {each.address: site.now() - each.since for each in emptied}
    return AddressRules(held_luns(record), given.addresses.reuse, seconds)


def _read_keys(site: Site) -> tuple[Keyring, tuple[str, ...]]:
    try:
        return site.keys(), ()
    except LunmapdError as error:
        return Keyring(), (f"the key file is not used: {error}",)


def _policy(node: _Node) -> Policy:
    return node.site.policy if node.state is None else node.state.policy


def _policy_notes(node: _Node) -> Iterator[str]:
    if _policy(node) != node.site.policy:
        yield (
            "the running daemon still uses older settings than those in the file, and so does this plan: "
            "'systemctl reload lunmapd' makes it read them"
        )


def _read_map(node: _Node, session: Session) -> _Map:
    """Return the map that the daemon would use.

    Raises NodeNameTakenError, and NoMapError where there is none.
    """
    site, kept = node.site, node.kept
    known = None if kept is None else kept.snapshot
    home = node.seen.cluster if kept is None and is_lost(site.directory) else ""
    try:
        check_node_name(session, site.node, site.identity.machine)
        return _Map(read_accepted(session, partial(read_again, node=site.node), known, home).snapshot)
    except NodeNameTakenError:
        raise
    except StoreError as error:
        if known is None or not _may_follow(node):
            raise NoMapError(
                f"{error}; and the local snapshot in {site.directory} can't be used: "
                f"{_fallback(node).message}"
            ) from error
        return _Map(known, error)


def _may_follow(node: _Node) -> bool:
    """Return whether the daemon uses the local snapshot: one that runs decided that when it started."""
    if node.state is not None:
        return node.state.has_map
    return _fallback(node).reason == Reason.FROM_SNAPSHOT


def _fallback(node: _Node) -> ConditionUpdate:
    return assess_snapshot(node.kept, node.site.policy.snapshot_max_age, node.site.wall())


def _enablement(node: _Node, current: _Map, began: float) -> Enablement:
    limit, state = _policy(node).isolate_after, node.state
    if current.is_reachable:
        return Enablement.ALL
    if state is None:
        return choose_enablement(limit, began, node.site.now(), met=False)
    since = began if state.silent_since is None else state.silent_since
    return choose_enablement(limit, since, node.site.now(), met=state.met)


def _enablement_notes(node: _Node, enablement: Enablement) -> Iterator[str]:
    if enablement is Enablement.NONE:
        seconds = f"{_policy(node).isolate_after:g} s"
        yield f"isolated: ZooKeeper was silent for {seconds}, so every TPG is disabled"
    elif enablement is Enablement.KEPT:
        yield "ZooKeeper has not answered since the daemon started: no TPG is enabled that is not enabled now"


def _circumstances(node: _Node, session: Session, current: _Map, enablement: Enablement) -> Circumstances:
    confirmed = (
        confirmed_map(session, current.snapshot, _first(node, current)) if current.is_reachable else None
    )
    if node.state is None:
        return Circumstances(confirmed, enablement=enablement)
    state = node.state
    return Circumstances(confirmed, frozenset(state.decided), enablement, state.portals, state.unread)


def _first(node: _Node, current: _Map) -> int:
    """Return the oldest revision whose confirmation counts, as in Confirmations."""
    kept = node.kept
    if kept is not None and kept.snapshot.incarnation != current.snapshot.incarnation:
        return 1
    if node.state is not None:
        return node.state.first
    return 0 if kept is None else kept.held or kept.snapshot.revision


def _baseline(
    node: _Node, session: Session, current: _Map, given: PassInput, comparison: Comparison
) -> tuple[DriftBaseline | None, tuple[str, ...]]:
    """Return the daemon's drift baseline, and a note if only the running daemon knows it."""
    site = node.site
    if node.state is None:
        terms = ValidityKey(point_of(current.snapshot), site.node, site.identity.boot, node.keys)
        past = node.seen.load(terms)
        return None if past is None else baseline_from(past, comparison.desire), ()
    past = node.seen.of_boot(site.node, site.identity.boot)
    if past is None:
        return None, ()
    then = _given_at(past.terms.at, node, session, current, given)
    known = None if then is None else baseline_from(past, compare(then, comparison.observed).desire)
    if known is None and given.report:
        return None, (
            "the running daemon's drift baseline is not known here: it may withhold some of these steps",
        )
    return known, ()


def _given_at(
    point: HistoryPoint, node: _Node, session: Session, current: _Map, given: PassInput
) -> PassInput | None:
    """Return the input of a pass by the map at an earlier point, None if that can't be read any more."""
    there = [current.snapshot] if node.kept is None else [current.snapshot, node.kept.snapshot]
    for snapshot in there:
        if point_of(snapshot) == point:
            return replace(
                given, lunmap=snapshot.lunmap, unreadable=snapshot.unreadable, edited=snapshot.edited
            )
    if not current.is_reachable or point.cluster != current.snapshot.cluster:
        return None
    try:
        if read_revision(session, point.revision, current.snapshot.revision).digest != point.digest:
            return None
        lunmap = map_at(session, current.snapshot, point.revision)
    except StoreError:
        return None
    return replace(given, lunmap=lunmap, unreadable={}, edited={})


def _logins(session: Session) -> Logins:
    try:
        return read_logins(session)
    except StoreError:
        return {}
