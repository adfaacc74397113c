"""`lunmapd plan`: the next pass of this node's daemon, decided without executing it."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.loop.next_pass import NextPass, Site, decide_next_pass
from lunmapd.agent.state.machine_id import read_machine_id
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning import drift
from lunmapd.core.planning.decide import Decision, impacts
from lunmapd.core.planning.impact import Impact
from lunmapd.core.planning.plan import Step
from lunmapd.lio.worker.kernel import Kernel
from lunmapd.service import zookeeper
from lunmapd.service.keyfile import read_keys
from lunmapd.service.output import echo, echo_json
from lunmapd.service.settings import Settings
from lunmapd.service.table import table


class StepLine(Struct, frozen=True):
    """One step. `disruption` is its class at worst, `now` that for the `initiators` that are logged in.

    A step that is `held` is not executed, and `why` says why not: it waits for a confirmation, a logout, an
    override, the end of a back-off, or another step. A step for `drift` repairs an out-of-band change of LIO;
    if it is held, the change is only reported.
    """

    action: str
    object: str
    reason: str
    disruption: str
    now: str
    initiators: tuple[str, ...]
    held: bool = False
    drift: bool = False
    why: str = ""


class FailureLine(Struct, frozen=True):
    """One object that can't be as the map says."""

    object: str
    reason: str
    message: str


class Preview(Struct, frozen=True):
    """What `lunmapd plan -o json` prints.

    `source` says where the map is from, `held` why the pass would be held ("": it would not). `daemon` is
    "running" or "stopped"; `kept_disabled` are the TPGs that isolation keeps disabled; `notes` say what
    else the plan depends on.
    """

    node: str
    revision: int
    source: str
    steps: tuple[StepLine, ...]
    failing: tuple[FailureLine, ...]
    held: str = ""
    daemon: str = ""
    kept_disabled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """OK when there is nothing to do, nothing fails and no TPG is kept disabled."""
        return Exit.DEGRADED if self.steps or self.failing or self.kept_disabled else Exit.OK


def preview(settings: Settings) -> Preview:
    """Decide the next pass of the daemon with these settings. Raises LunmapdError."""
    site = Site(
        settings.node,
        Path(settings.state_dir),
        settings.policy(),
        lambda: read_keys(Path(settings.key_file)),
        read_machine_id(),
    )
    kernel = Kernel()
    try:
        with zookeeper.create_session(settings.zookeeper) as session:
            return describe(decide_next_pass(site, session, kernel))
    finally:
        kernel.close()


def describe(coming: NextPass) -> Preview:
    """Return the part of a pass that is printed."""
    comparison, decision = coming.comparison, coming.decision
    failures = {**comparison.desire.failures, **decision.held}
    return Preview(
        node=coming.given.node,
        revision=coming.given.revision,
        source=coming.source,
        steps=tuple(_steps(coming)),
        failing=tuple(
            FailureLine(lio_objects.show_key(key), failure.reason, _message(coming, key, failure))
            for key, failure in failures.items()
            if failure.reason != Reason.WAITING
        ),
        held=_held(decision),
        daemon="running" if coming.is_running else "stopped",
        kept_disabled=tuple(sorted(map(lio_objects.show_key, comparison.kept_disabled))),
        notes=coming.notes,
    )


def _held(decision: Decision) -> str:
    if decision.blocked is None:
        return ""
    enables = {isinstance(step.item, lio_objects.Enabled) for step in decision.steps}
    effects = (("close opened access", False), ("enable or disable TPGs", True))
    words = " and ".join(text for text, kind in effects if kind in enables)
    effect = f"only {words}" if words else "do nothing"
    return f"unless it is confirmed, the daemon would {effect}: the pass would {decision.blocked}"


def _steps(coming: NextPass) -> Iterator[StepLine]:
    """Yield the whole plan: each step that is executed as it is executed, all others as held.

    Steps that are executed instead of planned ones come last.
    """
    comparison = coming.comparison
    executed = {(step.action, lio_objects.key_of(step.item)): step for step in coming.decision.steps}
    observed = comparison.observed.objects
    drifted = drift.find_drift(comparison.steps, comparison.desired, observed, coming.baseline)
    instead = executed.keys() - {(step.action, lio_objects.key_of(step.item)) for step in comparison.steps}
    every = (*comparison.steps, *(executed[one] for one in executed if one in instead))
    for planned, impact in impacts(coming.given, replace(comparison, steps=every), coming.logins):
        key = lio_objects.key_of(planned.item)
        step = executed.get((planned.action, key))
        why = "" if step else _why(coming, key)
        yield _line(step or planned, impact, why, is_held=step is None, is_drift=key in drifted)


def _line(step: Step, impact: Impact, why: str, *, is_held: bool, is_drift: bool) -> StepLine:
    return StepLine(
        step.action,
        lio_objects.show_key(lio_objects.key_of(step.item)),
        step.reason,
        impact.worst.word,
        impact.now.word,
        tuple(sorted({session.initiator for session in impact.sessions})),
        is_held,
        is_drift,
        why,
    )


def _why(coming: NextPass, key: lio_objects.Key) -> str:
    failure = coming.decision.held.get(key)
    if failure is not None:
        return _message(coming, key, failure)
    return "the pass is held: see 'lunmapctl confirm'" if coming.decision.blocked else ""


def _message(coming: NextPass, key: lio_objects.Key, failure: Failure) -> str:
    """Return the message of a failure; for one that is not tried yet, with the time until it is."""
    deferral = coming.deferrals.get(key)
    if deferral is None or deferral.failure != failure:
        return failure.message
    return f"{failure.message}; it is tried again in {deferral.due - coming.now:.0f} s"


def print_preview(plan: Preview, output: str) -> None:
    """Print a plan, as a table or as JSON."""
    if output == "json":
        echo_json(plan)
    else:
        echo(*_lines(plan))


def _lines(plan: Preview) -> Iterator[str]:
    yield f"node {plan.node}, revision {plan.revision} from {plan.source} (daemon {plan.daemon})"
    if plan.steps:
        rows = [
            (
                f"{line.action}{_remark(line)}",
                line.object,
                line.disruption,
                ", ".join(line.initiators) or "-",
                line.reason,
            )
            for line in plan.steps
        ]
        yield from table(("ACTION", "OBJECT", "DISRUPTION", "LOGGED IN", "REASON"), rows)
    elif not (plan.failing or plan.kept_disabled):
        yield "nothing to do"
    for failure in plan.failing:
        yield f"{failure.object} fails: {failure.reason}: {failure.message}"
    for name in plan.kept_disabled:
        yield f"{name} is not made: isolation"
    if plan.held:
        yield plan.held
    yield from (f"note: {note}" for note in plan.notes)


def _remark(line: StepLine) -> str:
    words = [word for word, applies in (("drift", line.drift), ("held", line.held)) if applies]
    return f" ({', '.join(words)})" if words else ""
