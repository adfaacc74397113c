"""What `lunmapd plan` decides from the daemon's files is what the daemon's next full pass executes."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.loop.daemon_state import DaemonFile, DaemonState, Deferral
from lunmapd.agent.loop.next_pass import NextPass
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import RemovalHeldError
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.process import this_process
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey, baseline_from
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Login
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput, compare, decide
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.plan import Plan, Step
from lunmapd.core.planning.reservations import keep_reservations
from lunmapd.core.secrets.sealing import Vault
from lunmapd.service.daemon.preview import describe
from property.test_follow import FAILS, chains
from support.drift import REPORTED, drifted
from support.recording import Peers, RecordingKernel
from support.strategies import NODES

if TYPE_CHECKING:
    from lunmapd.core.planning.drift import DriftBaseline

BOOT = "boot"


class Daemon:
    """A daemon of a node, and what it leaves on its disk for the next one and for `lunmapd plan`."""

    def __init__(self, directory: Path, maps: Sequence[Lunmap]) -> None:
        self.kernel, self.clock = RecordingKernel(FakeLio()), Clock(1000.0)
        self._directory, self._maps = directory, maps
        self._file = DaemonFile(directory)
        self.start()

    def start(self) -> None:
        """Start anew, with an audit each hour."""
        self._state = PassState(3600.0, 60.0, self.clock)
        self._seen = SeenFile(self._directory)
        self._decided: AbstractSet[lio_objects.Key] = frozenset()
        self._point: HistoryPoint | None = None
        self._write()

    def _write(self) -> None:
        self._state.baseline.save(self._seen)
        deferrals = tuple(starmap(Deferral, self._state.schedule.deferrals()))
        decided = tuple(sorted(self._decided))
        process = this_process(BOOT)
        self._file.write(
            DaemonState(process, Policy(), point=self._point, decided=decided, deferrals=deferrals)
        )

    def input_of(self, number: int, name: str, **others: object) -> PassInput:
        """Return the input of a pass by a map; `others` are fields of it."""
        decided = self._read().decided
        given = PassInput(name, number, self._maps[number], {}, Vault("c"), decided=frozenset(decided))
        return PassInput(**{field: getattr(given, field) for field in given.__struct_fields__} | others)

    def _read(self) -> DaemonState:
        state = DaemonFile(self._directory).read(BOOT)
        assert state is not None
        return state

    def foresee(self, given: PassInput, logins: Logins) -> NextPass:
        """Decide the next pass from the files alone."""
        state, seen = self._read(), SeenFile(self._directory)
        given = replace(given, offered=seen.offered(given.node, BOOT))
        comparison = compare(given, self.kernel.observe(self._claims().load()))
        known: DriftBaseline | None = None
        if seen.content is not None:
            then = self.input_of(seen.content.terms.at.revision, given.node)
            known = baseline_from(seen.content, compare(then, comparison.observed).desire)
        due = state.due(_point(given.revision), (), self.clock.now)
        deferred = {key: entry.failure for key, entry in due.items()}
        decision = decide(given, comparison, known, deferred, logins)
        now = self.clock.now
        return NextPass(given, comparison, decision, "ZooKeeper", logins, known, due, now, True, ())

    def _claims(self) -> Claims:
        return Claims(self._directory)

    def reconcile(self, given: PassInput, logins: Logins) -> Plan:
        """Make a full pass, and return the steps that it executed."""
        self.kernel.given, self._point = (), _point(given.revision)
        edges = PassPorts(self.kernel, self._claims(), Peers(logins), self._seen)
        # A partial pass of no objects would observe nothing, and so find no drift.
        self._state._start = FullPass.INTERRUPTED
        with suppress(RemovalHeldError):
            result = reconcile(edges, given, self._state, ValidityKey(self._point, given.node, BOOT, ()))
            self._decided = result.decided
        self._write()
        return self.kernel.given


def _point(revision: int) -> HistoryPoint:
    return HistoryPoint("c", revision, "d")


def _shown(step: Step) -> str:
    return lio_objects.show_key(lio_objects.key_of(step.item))


def _printed(coming: NextPass) -> list[tuple[str, str]]:
    """Return the steps that `lunmapd plan` prints as executed."""
    return sorted((line.action, line.object) for line in describe(coming).steps if not line.held)


def _logged_in(objects: lio_objects.Objects, initiators: Iterable[str]) -> Iterator[IscsiSession]:
    for item in objects.values():
        if isinstance(item, lio_objects.NodeAcl) and item.initiator in initiators:
            yield IscsiSession(item.iqn, item.tag, item.initiator, LOGGED_IN)


@given(maps=chains(), data=st.data(), report=REPORTED)
def test_a_plan_is_what_the_next_pass_executes(
    maps: list[Lunmap], data: st.DataObject, report: set[str]
) -> None:
    """For any map, kernel, settings, confirmation, back-off, logins and isolation, the steps are the same."""
    name = max(NODES, key=lambda node: len(project_map(maps[0], node)))
    keys = sorted({key for lunmap in maps for key in project_map(lunmap, name, {PORT_ID})}, key=str)
    initiators = sorted(maps[0].initiators)
    with TemporaryDirectory() as place:
        daemon = Daemon(Path(place), maps)
        daemon.reconcile(daemon.input_of(0, name), {})
        number = 0
        for _ in range(3):
            lio = daemon.kernel.lio
            lio.objects = data.draw(st.one_of(st.just(lio.objects), drifted(lio.objects)))
            lio.failures = dict.fromkeys(
                data.draw(st.lists(st.sampled_from(keys), max_size=2)) if keys else (), FAILS
            )
            logged_in = data.draw(st.sets(st.sampled_from(initiators)))
            lio.sessions = tuple(_logged_in(lio.objects, logged_in))
            logins = {
                peer: {Login(iqn, host) for iqn in maps[0].targets for host in logged_in} for peer in NODES
            }
            daemon.clock.now += data.draw(st.sampled_from((1.0, 61.0, 3600.0)))
            number = data.draw(st.integers(number, len(maps) - 1))
            given = daemon.input_of(
                number,
                name,
                confirmed=data.draw(st.sampled_from((None, *maps))),
                limits=RemovalLimits(data.draw(st.sampled_from((1.0, 1.0, 0.0))), 0),
                enablement=data.draw(st.sampled_from((Enablement.ALL, Enablement.ALL, *Enablement))),
                allow=data.draw(
                    st.sampled_from((Disruption.DATA_UNREACHABLE, Disruption.PATH_LOSS, Disruption.NONE))
                ),
                report=frozenset(report),
            )
            foreseen = daemon.foresee(given, logins)
            executed = daemon.reconcile(given, logins)
            comparison = foreseen.comparison
            decided = foreseen.decision.steps
            assert executed == keep_reservations(decided, comparison.desired, comparison.observed)
            assert _printed(foreseen) == sorted((step.action, _shown(step)) for step in executed)
            event(f"{min(len(executed), 3)} steps")
