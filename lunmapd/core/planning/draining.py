"""When a drained node may disable its TPGs: once hosts use other paths. Pure.

A session that ends under I/O costs the host a pause: it waits for a new connection (recovery_tmo) before it
uses another path. So a drained node first reports its paths as non-optimized (`offered_state`), which gives
each host the unit attention ASYMMETRIC ACCESS STATE CHANGED, and keeps its TPGs enabled until the hosts have
left. A host has left if, within a window, it sent no more commands to each of its Luns than path checkers do,
has none in flight, and has sent at least one since the states changed: the answer to that command was the
unit attention. Nothing is stored, so a restart of the daemon begins the observation anew.

Times are monotonic, in seconds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import LOGGED_IN, AclLuns, HostCommands, Observed
from lunmapd.core.planning.plan import Action, Plan, Step
from lunmapd.core.planning.withhold import Permitted, withhold_steps

DRAIN_WINDOW = 5.0
"""How long the commands of a host are counted before they are judged."""

MAX_CHECKS = 10
"""The commands of path checkers to a Lun in a window. multipathd reads a block and asks for the state (REPORT
TARGET PORT GROUPS) at most once a second (polling_interval, 5 s by default)."""

PATIENCE = 40.0
"""How long a TPG stays enabled at most. multipathd looks for a changed state at least every 20 s
(max_polling_interval is 4 x polling_interval); two windows follow."""

_RETRY = 1.0  # seconds until the states are looked at again
_MAX_NAMED = 3

HostKey = tuple[str, int, str]
"""Target, TPG tag and initiator."""

UsedTpgs = Mapping[lio_objects.Key, tuple[AclLuns, ...]]
"""The TPGs that a drained node is to disable, by the key of the Enabled, each with the hosts that may use it:
they are logged in, and know from ALUA that other paths are better. TPGs without such hosts are left out."""


class DrainProgress(Struct, frozen=True):
    """What was counted since the node began to lead hosts away, at `since`.

    `is_told`: the node reports the new states. `began` are the counts at the first look after that, `window`
    those at the begin of the present window, `at`. `left` are the hosts that have left as of that time.
    """

    since: float
    is_told: bool
    began: tuple[HostCommands, ...]
    at: float
    window: tuple[HostCommands, ...]
    left: tuple[HostKey, ...] = ()

    def seconds_left(self, now: float) -> float:
        """Return the seconds until the next look, infinity if the node waits no longer."""
        if now - self.since >= PATIENCE:
            return float("inf")
        pause = max(0.0, self.at + DRAIN_WINDOW - now) if self.is_told else _RETRY
        return min(pause, self.since + PATIENCE - now)


def used_tpgs(steps: Plan, desired: lio_objects.DesiredObjects, observed: Observed) -> UsedTpgs:
    """Return the TPGs that the plan of a drained node disables and keeps, with their hosts."""
    closing = [
        step.item
        for step in steps
        if isinstance(step.item, lio_objects.Enabled) and _is_disabled(step, desired)
    ]
    if not closing:
        return {}
    luns = defaultdict[HostKey, list[int]](list)
    for item in observed.objects.values():
        if isinstance(item, lio_objects.MappedLun) and _is_left_by_state(item.storage_object, desired):
            luns[item.iqn, item.tag, item.initiator].append(item.lun)
    there = (each for each in observed.sessions if each.state == LOGGED_IN)
    logged_in = sorted({(each.iqn, each.tag, each.initiator) for each in there} & luns.keys())
    used = {
        lio_objects.key_of(item): tuple(
            AclLuns(*host, tuple(luns[host])) for host in logged_in if host[:2] == (item.iqn, item.tag)
        )
        for item in closing
    }
    return {key: hosts for key, hosts in used.items() if hosts}


def _is_disabled(step: Step, desired: lio_objects.DesiredObjects) -> bool:
    """Return whether a step about an Enabled disables a TPG that stays."""
    (tpg,) = lio_objects.parents_of(step.item)
    return step.action is Action.DELETE and lio_objects.key_of(step.item) not in desired and tpg in desired


def _is_left_by_state(name: str, desired: lio_objects.DesiredObjects) -> bool:
    """Return whether hosts learn from ALUA to use other paths to a Lun.

    It has a group, and is open, or another node takes it over.
    """
    item = desired.get(("storage_object", name))
    alua = item.alua if isinstance(item, lio_objects.StorageObject) else None
    return alua is not None and (alua.leased or alua.state == AluaState.NON_OPTIMIZED)


def reports_states(steps: Plan) -> bool:
    """Return whether no step of a plan changes an ALUA state."""
    return not any(
        isinstance(step.item, lio_objects.StorageObject)
        and isinstance(step.before, lio_objects.StorageObject)
        and step.item.alua != step.before.alua
        for step in steps
    )


def follow_drain(
    before: DrainProgress | None, counted: tuple[HostCommands, ...], now: float, *, is_told: bool
) -> DrainProgress:
    """Return the progress after a look at the commands that hosts send."""
    if before is None:
        return DrainProgress(now, is_told, counted, now, counted)
    if is_told and not before.is_told:
        return DrainProgress(before.since, is_told, counted, now, counted)
    if not is_told or now - before.at < DRAIN_WINDOW:
        return before
    left = tuple(_host(each) for each in counted if _has_left(each, before))
    return replace(before, at=now, window=counted, left=left)


def _has_left(host: HostCommands, before: DrainProgress) -> bool:
    began, window = _counts(before.began, host), _counts(before.window, host)
    was_told = all(count > began.get(lun, 0) for lun, count in host.counts)
    is_quiet = all(count - window.get(lun, 0) <= MAX_CHECKS for lun, count in host.counts)
    return was_told and is_quiet and not host.in_flight


def _counts(hosts: Iterable[HostCommands], host: HostCommands) -> Mapping[int, int]:
    return dict(next((each.counts for each in hosts if _host(each) == _host(host)), ()))


def _host(each: HostCommands) -> HostKey:
    return each.iqn, each.tag, each.initiator


def busy_tpgs(progress: DrainProgress, used: UsedTpgs, now: float) -> dict[lio_objects.Key, Failure]:
    """Return the TPGs that must stay enabled, by the key of the Enabled, each with the reason."""
    if now - progress.since >= PATIENCE:
        return {}
    left = frozenset(progress.left)
    staying = {key: _staying(hosts, left) for key, hosts in used.items()}
    return {key: _draining(names) for key, names in staying.items() if names}


def _staying(hosts: Sequence[AclLuns], left: AbstractSet[HostKey]) -> list[str]:
    return [host.initiator for host in hosts if (host.iqn, host.tag, host.initiator) not in left]


def _draining(names: Sequence[str]) -> Failure:
    return Failure(
        Reason.DRAINING,
        f"drained: the TPG is disabled when no I/O of {first_of(names, _MAX_NAMED)} is left, after "
        f"{PATIENCE:g} s at the latest",
    )


def keep_used_tpgs(steps: Plan, busy: Mapping[lio_objects.Key, Failure]) -> Permitted:
    """Withhold the steps that disable TPGs which hosts still use."""
    return withhold_steps(steps, {(Action.DELETE, key): failure for key, failure in busy.items()})
