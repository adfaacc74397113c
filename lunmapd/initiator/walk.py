"""The walk of a probe: portal after portal, one connection at a time."""

import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.probe.answers import LunAnswer, Outcome, PortalAnswer, TargetAnswer
from lunmapd.core.probe.promise import PromisedPortal
from lunmapd.core.probe.scsi import REPORT_LUNS, parse_luns
from lunmapd.initiator.ask_lun import LunInterruptedError, ask_lun, send
from lunmapd.initiator.connection import (
    CommandFailedError,
    ConnectionLostError,
    InitiatorAccess,
    LoginRefusedError,
    PortalConnection,
    PortalUnreachableError,
    ProbeConnectionError,
    StepTimeoutError,
)
from lunmapd.initiator.libiscsi import Libiscsi

_LATE = "the probe's time was over"

ProbeProgress = Callable[[str], None]
"""Called with the portal that is probed next."""


class WalkOptions(Struct, frozen=True):
    """The limits of a walk: seconds for each step, and the time (time.monotonic) when it ends.

    On the nodes `reads` blocks are read too.
    """

    step: float
    until: float
    reads: AbstractSet[str] = frozenset()

    def limit(self) -> float:
        """Return the seconds that the next step may take; 0 or less if the walk's time is over."""
        return min(self.step, self.until - time.monotonic())


def probe_portals(
    library: Libiscsi,
    access: InitiatorAccess,
    portals: Iterable[PromisedPortal],
    options: WalkOptions,
    progress: ProbeProgress,
) -> Iterator[tuple[PromisedPortal, PortalAnswer]]:
    """Yield the answer of each portal."""
    for promised in portals:
        progress(promised.portal)
        yield promised, _portal(library, access, promised, options)


def _portal(
    library: Libiscsi, access: InitiatorAccess, promised: PromisedPortal, options: WalkOptions
) -> PortalAnswer:
    answer = _discovery(library, access, promised, options)
    if not promised.active or answer.outcome not in {Outcome.ANSWERS, Outcome.REFUSES}:
        # A drained node refuses logins, and would count them as failed ones.
        return answer
    targets = {
        name: _target(library, access, promised, name, options) for name, target in promised.targets.items()
    }
    return PortalAnswer(
        outcome=answer.outcome,
        detail=answer.detail,
        seconds=answer.seconds,
        listed=answer.listed,
        targets=targets,
    )


def _discovery(
    library: Libiscsi, access: InitiatorAccess, promised: PromisedPortal, options: WalkOptions
) -> PortalAnswer:
    begun = time.monotonic()
    if options.limit() <= 0:
        return PortalAnswer(outcome=Outcome.NOT_ASKED, detail=_LATE)
    # The credentials are those of targets; discovery has others.
    try:
        with PortalConnection(library, InitiatorAccess(access.initiator), options.limit) as connection:
            connection.connect(promised.portal)
            connection.log_in()
            listed = connection.discover()
    except ProbeConnectionError as error:
        outcome, detail = _why(error, options)
        return PortalAnswer(outcome=outcome, detail=detail, seconds=time.monotonic() - begun)
    return PortalAnswer(outcome=Outcome.ANSWERS, seconds=time.monotonic() - begun, listed=listed)


def _why(error: ProbeConnectionError, options: WalkOptions) -> tuple[Outcome, str]:
    """Return the outcome and the reason; an error after the walk's time is no one's fault."""
    outcomes = {
        PortalUnreachableError: Outcome.UNREACHABLE,
        LoginRefusedError: Outcome.REFUSES,
        StepTimeoutError: Outcome.SILENT,
        ConnectionLostError: Outcome.LOST,
    }
    return (Outcome.NOT_ASKED, _LATE) if options.limit() <= 0 else (outcomes[type(error)], str(error))


def _target(
    library: Libiscsi, access: InitiatorAccess, promised: PromisedPortal, name: str, options: WalkOptions
) -> TargetAnswer:
    target = promised.targets[name]
    if target.obstacle or options.limit() <= 0:
        return TargetAnswer(outcome=Outcome.NOT_ASKED, detail=target.obstacle or _LATE)
    reads = promised.node in options.reads
    try:
        with PortalConnection(library, access.reduced(target.authentication), options.limit) as connection:
            connection.connect(promised.portal)
            connection.log_in(name)
            numbers = _numbers(connection)
            luns, detail = _luns(connection, target.luns.keys() & numbers, options, reads=reads)
    except ProbeConnectionError as error:
        outcome, detail = _why(error, options)
        return TargetAnswer(outcome=outcome, detail=detail)
    return TargetAnswer(outcome=Outcome.ANSWERS, detail=detail, numbers=numbers, luns=luns)


def _numbers(connection: PortalConnection) -> frozenset[int]:
    """Return the LUNs of the session; any LUN number may be asked, also one that does not exist."""
    try:
        return parse_luns(send(connection, 0, REPORT_LUNS))
    except CommandFailedError as error:
        raise ConnectionLostError(f"{REPORT_LUNS.name} failed: {error}") from None


def _luns(
    connection: PortalConnection, shown: Iterable[int], options: WalkOptions, *, reads: bool
) -> tuple[dict[int, LunAnswer], str]:
    """Return the answers of the LUNs, and why the rest of them was not asked."""
    luns: dict[int, LunAnswer] = {}
    for number in sorted(shown):
        if options.limit() <= 0:
            return luns, _LATE
        try:
            luns[number] = ask_lun(connection, number, reads=reads)
        except LunInterruptedError as error:
            if options.limit() <= 0:
                return luns, _LATE
            return luns | {number: error.answer}, f"the session ended at LUN {number}, {error}"
    return luns, ""
