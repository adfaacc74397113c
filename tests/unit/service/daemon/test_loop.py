"""The daemon's loop without a server: what starts a cycle, and the watchdog's ping while it waits."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.lio import FakeLio
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.core.base.events import Event
from lunmapd.service.daemon.loop import Loop, ProcessContext, SettingsFile
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.signals import Signals
from lunmapd.service.settings import Settings
from lunmapd.service.zookeeper import ZooKeeperSettings
from lunmapd.store.session.session import Session
from support.agents import NOWHERE, AgentFactory
from support.debug_log import lines

RARELY = Policy(resync=3600.0, retry=3600.0)


class Watchdog(Manager):
    """Counts the pings, and stops the loop at the last one."""

    def __init__(self, pings: int, signals: Signals) -> None:
        super().__init__(1.0)
        self.every = 0.01
        self.pings = 0
        self._last = pings
        self._signals = signals

    def beat(self) -> None:
        """Count one."""
        self.pings += 1
        if self.pings == self._last:
            self._signals.stop()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[AgentFactory]:
    """Give nodes that reach no server."""
    with Session(NOWHERE, deadline=0.01) as session:
        yield AgentFactory(session, FakeLio(), tmp_path)


def run(nodes: AgentFactory, policy: Policy, pings: int, *causes: WakeCause) -> Watchdog:
    """Run the loop until so many pings, with these causes before the first wait."""
    wakeup = Wakeup()
    signals = Signals(wakeup.notify)
    manager = Watchdog(pings, signals)
    given = SettingsFile(Path("no settings"), Settings(ZooKeeperSettings(()), "n1"))
    for cause in causes:
        wakeup.notify(cause)
    Loop(nodes(policy=policy), ProcessContext(manager, signals, wakeup), lambda *_: None, given).run()
    return manager


def test_a_loop_that_waits_pings_the_watchdog(nodes: AgentFactory) -> None:
    """A wait of an hour is cut into slices with a ping before each, so waiting isn't taken for hanging."""
    assert run(nodes, RARELY, 20).pings >= 20


def test_each_cycle_names_what_started_it(nodes: AgentFactory, caplog: pytest.LogCaptureFixture) -> None:
    """The first one, several causes at once, and a timer each have a line."""
    with caplog.at_level(logging.DEBUG):
        run(nodes, Policy(retry=0.05), 30, WakeCause.DEVICE, WakeCause.WATCH)
    assert lines(caplog.records, Event.WOKEN)[:3] == [
        "cycle starts: start",
        "cycle starts: device, watch",
        "cycle starts: timer",
    ]
    assert lines(caplog.records, Event.PAUSED)[0] == "waits at most 0.1 s, until retry"


def test_at_level_info_nothing_is_traced(nodes: AgentFactory, caplog: pytest.LogCaptureFixture) -> None:
    """Events are debug lines only."""
    with caplog.at_level(logging.INFO):
        run(nodes, RARELY, 5, WakeCause.DEVICE)
    assert not [record for record in caplog.records if hasattr(record, "LUNMAPD_EVENT")]
