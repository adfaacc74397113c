"""The daemon's own loop around an agent, in a thread: without systemd, and without handlers of signals."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.wait import PATIENCE
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.service.daemon.loop import CycleListener, Loop, ProcessContext, SettingsFile
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.signals import Signals
from lunmapd.service.settings import Settings
from lunmapd.service.zookeeper import ZooKeeperSettings

_LONGEST = 60.0


@contextmanager
def running(agent: Agent, note: CycleListener = lambda *_: None) -> Iterator[Wakeup]:
    """Run cycles of an agent as long as the context lasts; yield what starts one."""
    wakeup = Wakeup()
    signals = Signals(wakeup.notify)
    given = SettingsFile(Path("no settings"), Settings(ZooKeeperSettings(()), "test"))
    loop = Loop(agent, ProcessContext(Manager(_LONGEST), signals, wakeup), note, given)
    thread = threading.Thread(target=loop.run, name="daemon", daemon=True)
    thread.start()
    try:
        yield wakeup
    finally:
        signals.stop()
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the daemon does not end"
