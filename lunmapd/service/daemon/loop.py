"""The daemon's life between the agent, the service manager and the signals."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lunmapd import __version__
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.report import Turn
from lunmapd.agent.loop.wakeup import Bell
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.messages import Message, fields
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.reload import take_over
from lunmapd.service.daemon.signals import Signals
from lunmapd.service.settings import Settings, load

log = logging.getLogger(__name__)

Note = Callable[[Turn, NodeStatus, float], None]


class Given(NamedTuple):
    """The settings, and the file that they are from."""

    path: Path
    settings: Settings


class Loop:
    """Runs the agent until a signal stops it; reads the settings again when one asks for it."""

    def __init__(self, agent: Agent, manager: Manager, signals: Signals, note: Note, given: Given) -> None:
        """Bring the parts together; `note` is told of each turn, `given` is what the agent was made by."""
        self._agent = agent
        self._manager = manager
        self._signals = signals
        self._path, self._settings = given
        self._trouble: LunmapdError | None = None
        self._note = note
        self._began = time.monotonic()

    def run(self, bell: Bell) -> None:
        """Turn until a signal stops it."""
        log.info(
            "lunmapd %s starts as node %s", __version__, self._settings.node, extra=fields(Message.STARTED)
        )
        self._agent.run(bell, self._attend, self._said, self._waits)
        self._manager.stopping()
        log.info("stopped; LIO is left as it is", extra=fields(Message.STOPPED))

    def _attend(self) -> bool:
        """Do what signals asked for, between two turns; return whether it is time to stop."""
        self._manager.beat()
        if self._signals.reload():
            self._manager.reloading()
            self._reload()
            self._manager.ready(self._status())
        self._began = time.monotonic()
        return self._signals.stopping()

    def _said(self, turn: Turn) -> None:
        """Tell that the first pass is done, or is held for a reason that the status gives."""
        self._trouble = turn.store_error or turn.error
        self._note(turn, self._agent.status, time.monotonic() - self._began)
        self._manager.ready(self._status())

    def _waits(self) -> tuple[float, float]:
        return self._settings.resync, self._settings.retry

    def _status(self) -> str:
        applied = self._agent.status.applied
        revision = "none" if applied is None else str(applied.revision)
        tail = f"; {self._trouble}" if self._trouble else ""
        return f"applied revision {revision}, {self._agent.status.failing_count} failing{tail}"

    def _reload(self) -> None:
        try:
            new = load(self._path)
        except LunmapdError as error:
            self._refuse(error)
            return
        self._settings, waiting = take_over(self._settings, new)
        self._agent.adopt(self._settings.policy())
        for name in waiting:
            log.warning(
                "%s keeps its old value until the daemon is restarted",
                name,
                extra=fields(Message.NEEDS_RESTART, setting=name),
            )
        log.info("the settings were read again", extra=fields(Message.RELOADED))

    def _refuse(self, error: LunmapdError) -> None:
        for line in str(error).splitlines():
            log.error("refused, the old settings stay: %s", line, extra=fields(Message.RELOAD_REFUSED))
