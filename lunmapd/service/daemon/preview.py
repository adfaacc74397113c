"""`lunmapd plan`: what a pass would do now, without doing it; beside a daemon that runs, or without one."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from tabulate import tabulate

from lunmapd.agent.loop.confirmations import confirmed_map
from lunmapd.agent.loop.pass_input import Circumstances, NoMapError, pass_input
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.journal import Journal
from lunmapd.agent.state.machine_id import read_machine_id
from lunmapd.agent.state.map_snapshot import SNAPSHOT_FILE, KeptSnapshot, replay_journal
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey, baseline_from
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning import drift
from lunmapd.core.planning.decide import Decision, compare, decide, impacts
from lunmapd.core.planning.drift import Known
from lunmapd.core.planning.impact import Impact, Logins
from lunmapd.core.planning.plan import Step
from lunmapd.core.secrets.sealing import Vault
from lunmapd.lio.worker.kernel import Kernel
from lunmapd.service import zookeeper
from lunmapd.service.keyfile import read_keys
from lunmapd.service.settings import Settings
from lunmapd.store.session.errors import StoreError
from lunmapd.store.tree.members import read_logins
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot


class StepLine(Struct, frozen=True):
    """One step. `disruption` is what initiators notice at worst, `now` what those that are logged in do: `initiators`.

    A step that is `held` waits for them to log out, for an override, or for another step that does. One for `drift` puts right what
    somebody changed by hand; if it is `held`, that is only reported.
    """

    action: str
    object: str
    reason: str
    disruption: str
    now: str
    initiators: tuple[str, ...]
    held: bool = False
    drift: bool = False


class FailureLine(Struct, frozen=True):
    """One object that can't be as the map says."""

    object: str
    reason: str
    message: str


class Preview(Struct, frozen=True):
    """What `lunmapd plan -o json` prints. `source` is where the map is from, `held` why the pass would be held ("": it would not)."""

    node: str
    revision: int
    source: str
    steps: tuple[StepLine, ...]
    failing: tuple[FailureLine, ...]
    held: str = ""

    @property
    def exit_code(self) -> Exit:
        """OK when there is nothing to do and nothing fails."""
        return Exit.DEGRADED if self.steps or self.failing else Exit.OK


def preview(settings: Settings) -> Preview:
    """Look at the map and at LIO, and plan. Raises LunmapdError."""
    directory = Path(settings.state_dir)
    found = _map(settings, directory)
    snapshot, keys = found.snapshot, read_keys(Path(settings.key_file))
    given = pass_input(settings.node, snapshot, settings.policy(), keys, Circumstances(found.confirmed))
    kernel = Kernel()
    try:
        comparison = compare(given, kernel.observe(Claims(directory / "claims.json").read()))
    finally:
        kernel.close()
    want = comparison.desire
    known = _known(directory, settings.node, snapshot, given.vault, want)
    decision = decide(given, comparison, known, {}, found.logins)
    drifted = drift.find(comparison.steps, comparison.desired, comparison.observed.objects, known)
    lines = _steps(tuple(impacts(given, comparison, found.logins)), decision, drifted)
    failing = _failing({**want.failures, **decision.held})
    held = decision.blocked
    why = f"unless it is confirmed, the daemon would do nothing: the pass would {held}" if held else ""
    return Preview(settings.node, snapshot.revision, found.source, lines, failing, why)


def _known(directory: Path, node: str, snapshot: Snapshot, vault: Vault, want: Desired) -> Known | None:
    """Return what the daemon saw of this same map, None when it has seen none of it."""
    at = HistoryPoint(snapshot.cluster, snapshot.revision, snapshot.digest)
    past = SeenFile(directory).recall(ValidityKey(at, node, read_machine_id().boot, vault.keyring.ids))
    return None if past is None else baseline_from(past, want)


class _Found(Struct, frozen=True):
    snapshot: Snapshot
    source: str
    logins: Logins = {}
    confirmed: Lunmap | None = None


def _map(settings: Settings, directory: Path) -> _Found:
    """Return the newest map and where it is from; the one that the daemon keeps when ZooKeeper can't be read."""
    kept = _kept(directory)
    first = 0 if kept is None else kept.held or kept.snapshot.revision
    try:
        with zookeeper.create_session(settings.zookeeper) as session:
            snapshot = read_tree(session)
            confirmed = confirmed_map(session, snapshot, first)
            return _Found(snapshot, "ZooKeeper", read_logins(session), confirmed)
    except StoreError as error:
        if kept is None:
            raise NoMapError(f"{error}; and the daemon has kept no map in {directory}") from error
        return _Found(kept.snapshot, f"the local snapshot, since ZooKeeper can't be read: {error}")


def _kept(directory: Path) -> KeptSnapshot | None:
    contents = Journal(directory / SNAPSHOT_FILE).read()
    return replay_journal(contents) if contents else None


def _steps(
    effects: Iterable[tuple[Step, Impact]], decision: Decision, drifted: AbstractSet[lio_objects.Key]
) -> tuple[StepLine, ...]:
    doing = {(step.action, lio_objects.key_of(step.item)) for step in decision.steps}
    keyed = ((step, lio_objects.key_of(step.item), effect) for step, effect in effects)
    return tuple(
        StepLine(
            step.action,
            lio_objects.show_key(key),
            step.reason,
            effect.worst.word,
            effect.now.word,
            tuple(sorted({session.initiator for session in effect.sessions})),
            (step.action, key) not in doing,
            key in drifted,
        )
        for step, key, effect in keyed
    )


def _failing(failures: Mapping[lio_objects.Key, Failure]) -> tuple[FailureLine, ...]:
    return tuple(
        FailureLine(lio_objects.show_key(name), failure.reason, failure.message)
        for name, failure in failures.items()
        if failure.reason != Reason.WAITING
    )


def show(found: Preview, output: str) -> None:
    """Print it, for people or for programs."""
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        for line in _lines(found):
            click.echo(line)


def _lines(found: Preview) -> Iterator[str]:
    yield f"node {found.node}, revision {found.revision} from {found.source}"
    if found.steps:
        rows = [
            (
                f"{line.action}{_remark(line)}",
                line.object,
                line.disruption,
                ", ".join(line.initiators) or "-",
                line.reason,
            )
            for line in found.steps
        ]
        yield tabulate(rows, ("ACTION", "OBJECT", "DISRUPTION", "LOGGED IN", "REASON"), tablefmt="plain")
    elif not found.failing:
        yield "nothing to do"
    for failure in found.failing:
        yield f"{failure.object} fails: {failure.reason}: {failure.message}"
    if found.held:
        yield found.held


def _remark(line: StepLine) -> str:
    words = [word for word, said in (("drift", line.drift), ("held", line.held)) if said]
    return f" ({', '.join(words)})" if words else ""
