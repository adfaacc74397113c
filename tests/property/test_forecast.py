"""What `lunmapctl plan` foresees from a node's status is what the node's next pass does."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.loop.policy import Policy, limits_of
from lunmapd.agent.loop.report import CycleResult, first_status, next_status, with_former
from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import RemovalHeldError
from lunmapd.agent.state.address_file import AddressFile
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.documents import decode, encode
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.lunmap import Lunmap, TpgId
from lunmapd.core.fleet.group_owners import owned_tpgs
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import GroupPhase, GroupStatus, HistoryPoint, NodeStatus
from lunmapd.core.forecast.fleet import forecast_fleet
from lunmapd.core.forecast.node import ForeseenCommit, NodeForecast
from lunmapd.core.history.changes import Allowance
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Login
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.disruption_limit import allowed_disruption
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.other_data import AddressRules, allowed_reuse
from lunmapd.core.secrets.sealing import Vault
from lunmapd.store.tree.snapshot import Snapshot
from property.test_follow import chains
from support.recording import Peers, RecordingKernel
from support.strategies import INITIATORS, NODES, TARGETS, lunmaps

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"


class Daemon:
    """A daemon of a node, and the status that it writes."""

    def __init__(
        self,
        directory: Path,
        name: str,
        policy: Policy,
        features: AbstractSet[str],
        groups: Sequence[GroupStatus],
    ) -> None:
        self._groups = groups
        self.kernel, self._name, self._policy = RecordingKernel(FakeLio(features)), name, policy
        clock = Clock(1000.0)
        self._state = PassState(3600.0, 60.0, clock)
        self._claims = Claims(directory)
        self._keeper = AddressKeeper(AddressFile(directory, "boot"), name, clock)
        self._snapshot: Snapshot | None = None
        self.status = first_status("boot", NOW)
        self.mass_removal = ""

    def follow(self, number: int, lunmap: Lunmap, logins: Logins, allowance: Allowance | None = None) -> None:
        """Make a full pass by a map; write the status unless the pass is held."""
        snapshot = Snapshot("c", number, "d", "d", 0, lunmap)
        self._keeper.follow(self._snapshot, snapshot)
        self._snapshot, self.kernel.given = snapshot, ()
        asked = PassInput(
            self._name, number, lunmap, {}, Vault("c"), limits=self._policy.limits,
            allow=allowed_disruption(self._policy.allow, allowance, self._name, NOW),
            addresses=AddressRules(reuse=allowed_reuse(allowance, self._name, NOW)),
        )  # fmt: skip
        self._state._start = FullPass.INTERRUPTED
        edges = PassPorts(self.kernel, self._claims, Peers(logins), addresses=self._keeper)
        try:
            result = reconcile(edges, asked, self._state)
        except RemovalHeldError as error:
            self.mass_removal = str(error.held)
            return
        cycle = CycleResult(HistoryPoint("c", number, "d"), result, lunmap=lunmap)
        status = with_former(next_status(self.status, cycle, NOW), self._keeper.record)
        self.status = decode(encode(replace(status, limits=limits_of(self._policy))), NodeStatus)

    def lease(self, lunmap: Lunmap) -> None:
        """Enable the groups that the node owns, as the loop of the groups does."""
        self.status = replace(self.status, floating=tuple(self._groups))
        owned, objects = owned_tpgs(lunmap, self.status), self.kernel.lio.objects
        for key, item in project_map(lunmap, self._name, self.kernel.lio.features).items():
            if isinstance(item, lio_objects.Enabled) and TpgId(item.iqn, item.tag) in owned:
                objects[key] = item

    def log_in(self, who: AbstractSet[Login], lost: AbstractSet[Login]) -> None:
        """Log in the initiators that may, in each TPG; some of their sessions are lost afterwards."""
        enabled = [item for item in self.kernel.lio.objects.values() if isinstance(item, lio_objects.Enabled)]
        for login in sorted(who):
            for tag in sorted(item.tag for item in enabled if item.iqn == login.target):
                if ("acl", login.target, tag, login.initiator) in self.kernel.lio.objects:
                    self.kernel.lio.log_in(login.target, login.initiator, tag=tag)
        self.follow(1, self._map, {})
        for login in sorted(lost):
            self.kernel.lio.drop(login.target, login.initiator)
        self.follow(1, self._map, {})

    @property
    def _map(self) -> Lunmap:
        assert self._snapshot is not None
        return self._snapshot.lunmap


LOGINS = st.sets(st.builds(Login, st.sampled_from(TARGETS), st.sampled_from(INITIATORS)))
ALLOWANCES = st.one_of(
    st.none(),
    st.sampled_from((Allowance("other-data", LATER, luns=("db1", "logs")), Allowance("other-data", NOW))),
)


GROUP_STATUSES = st.lists(
    st.builds(GroupStatus, st.sampled_from(TARGETS), st.just("gold"), st.sampled_from(GroupPhase)), max_size=2
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Draw the settings that a decision depends on."""
    limits = draw(st.sampled_from((RemovalLimits(1.0), RemovalLimits(1.0), RemovalLimits(0.3, 0))))
    classes = (Disruption.DATA_UNREACHABLE, Disruption.PATH_LOSS, Disruption.NONE)
    return Policy(limits=limits, allow=draw(st.sampled_from(classes)))


def _executed(made: NodeForecast) -> list[tuple[str, str]]:
    return sorted((step.action, step.object) for step in made.steps if not step.held)


@settings(max_examples=50)
@given(
    maps=st.one_of(chains(), st.tuples(lunmaps(), lunmaps())), policy=policies(), data=st.data(), features=st.sampled_from(((PORT_ID,), ()))
)  # fmt: skip
def test_what_is_foreseen_is_what_the_node_does(
    maps: Sequence[Lunmap], policy: Policy, data: st.DataObject, features: tuple[str, ...]
) -> None:
    """For any two maps, logins here and elsewhere, lost sessions, settings and kernel."""
    before, after = maps[0], maps[1]
    name = max(NODES, key=lambda node: len(project_map(before, node)))
    with TemporaryDirectory() as place:
        daemon = Daemon(Path(place), name, policy, frozenset(features), data.draw(GROUP_STATUSES))
        daemon.follow(1, before, {})
        daemon.lease(before)
        daemon.log_in(data.draw(LOGINS), data.draw(LOGINS))
        peers = {node: first_status("b", NOW) for node in NODES if node != name}
        statuses = {
            node: replace(status, observed=daemon.status.observed, logins=tuple(sorted(data.draw(LOGINS))))
            for node, status in peers.items()
        } | {name: daemon.status}
        allowance = data.draw(ALLOWANCES)
        views = {node: NodeView(live=True, status=status) for node, status in statuses.items()}
        forecast = forecast_fleet(ForeseenCommit(before, after, 1, allowance, NOW), views)
        (made,) = (node for node in forecast.nodes if node.node == name)
        others = {node: frozenset(status.logins) for node, status in statuses.items() if node != name}
        daemon.follow(2, after, others, allowance)
        executed = [
            (step.action, lio_objects.show_key(lio_objects.key_of(step.item))) for step in daemon.kernel.given
        ]
        assert _executed(made) == sorted(executed)
        assert made.mass_removal == daemon.mass_removal
        held = sum(bool(step.held) for step in made.steps)
        event(f"{'held' if held else 'all'} {made.outlook} {bool(made.hosts)} {len(made.steps) > 3}")
