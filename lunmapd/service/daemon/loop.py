"""The daemon's loop: cycle after cycle until a signal ends it; another signal reloads the settings."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lunmapd import __version__
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.report import CycleResult
from lunmapd.agent.loop.unexpected import UnexpectedLog
from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.core.base.events import Event
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.reload import merge_settings
from lunmapd.service.daemon.signals import Signals
from lunmapd.service.settings import Settings, load_settings
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

CycleListener = Callable[[CycleResult, NodeStatus, float], None]


class SettingsFile(NamedTuple):
    """The settings, and the file that they are from."""

    path: Path
    settings: Settings


class ProcessContext(NamedTuple):
    """The process of the loop: its service manager, its signals, and the causes of cycles."""

    manager: Manager
    signals: Signals
    wakeup: Wakeup


class Loop:
    """Runs the agent until a signal stops it; reads the settings again when one asks for it."""

    def __init__(
        self, agent: Agent, process: ProcessContext, note: CycleListener, given: SettingsFile
    ) -> None:
        """Prepare.

        `note` is called after each cycle with its result, the status and the seconds that it took.

        `given` are the settings that the agent was made with.
        """
        self._agent = agent
        self._manager, self._signals, self._wakeup = process
        self._path, self._settings = given
        self._error: LunmapdError | None = None
        self._unexpected = UnexpectedLog()
        self._note = note

    def run(self) -> None:
        """Run cycles until a signal stops the loop."""
        _log.info(
            "lunmapd %s starts as node %s",
            __version__,
            self._settings.node,
            extra=journal_fields(Message.STARTED),
        )
        self._agent.watch(self._wakeup.notify)
        causes = frozenset({WakeCause.START})
        while self._goes_on():
            trace(_log, Event.WOKEN, causes=", ".join(sorted(causes)))
            causes = self._wait(self._cycle())
        self._manager.stopping()
        _log.info("stopped; LIO is left as it is", extra=journal_fields(Message.STOPPED))

    def _goes_on(self) -> bool:
        """Do what signals asked for; return whether another cycle is to be run."""
        self._manager.beat()
        if self._signals.reload():
            self._manager.reloading()
            self._reload()
            self._manager.ready(self._status())
        return not self._signals.stopping()

    def _cycle(self) -> float:
        """Run one cycle and report it; return the seconds to wait.

        A function of its own so that the objects of this cycle are freed before the wait.
        """
        began = time.monotonic()
        cycle = self._agent.run_cycle()
        self._error = cycle.store_error or cycle.error
        self._manager.ready(self._status())
        try:
            self._note(cycle, self._agent.status, time.monotonic() - began)
            self._agent.tidy()
        except Exception as error:  # noqa: BLE001 - neither figures nor a tidy disk are worth a restart
            self._unexpected.record(error)
        return self._agent.pause(cycle)

    def _wait(self, seconds: float) -> frozenset[WakeCause]:
        """Wait for a cause to start the next cycle, at most `seconds`; the watchdog is pinged meanwhile."""
        until = time.monotonic() + seconds
        while True:
            self._manager.beat()
            left = until - time.monotonic()
            causes = self._wakeup.wait(min(self._manager.every, left))
            if causes:
                return causes
            if time.monotonic() >= until:
                return frozenset({WakeCause.TIMER})

    def _status(self) -> str:
        applied = self._agent.status.applied
        revision = "none" if applied is None else str(applied.revision)
        tail = f"; {self._error}" if self._error else ""
        return f"applied revision {revision}, {self._agent.status.failing_count} failing{tail}"

    def _reload(self) -> None:
        try:
            new = load_settings(self._path)
        except LunmapdError as error:
            self._refuse(error)
            return
        self._settings, waiting = merge_settings(self._settings, new)
        self._agent.adopt(self._settings.policy())
        for name in waiting:
            _log.warning(
                "%s keeps its old value until the daemon is restarted",
                name,
                extra=journal_fields(Message.NEEDS_RESTART, setting=name),
            )
        _log.info("the settings were read again", extra=journal_fields(Message.RELOADED))

    def _refuse(self, error: LunmapdError) -> None:
        for line in str(error).splitlines():
            _log.error(
                "refused, the old settings stay: %s", line, extra=journal_fields(Message.RELOAD_REFUSED)
            )
