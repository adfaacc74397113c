"""The kernel under the service's eyes."""

from fakes.lio import FakeLio
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Step
from lunmapd.service.daemon.watchdog import WatchedKernel

IQN = "iqn.2026-01.org.example:t"
STEPS = tuple(Step(Action.CREATE, lio_objects.Target(f"{IQN}{number}"), "in the map") for number in range(3))


def test_each_answer_is_a_sign_of_life() -> None:
    """An observation and each step send a ping, so that a long pass doesn't look like a hang."""
    beats: list[None] = []
    kernel = WatchedKernel(FakeLio(), lambda: beats.append(None), lambda: False)
    kernel.observe(frozenset())
    assert len(beats) == 1
    assert len(list(kernel.apply(STEPS))) == 3
    assert len(beats) == 5


def test_no_step_is_begun_when_it_is_time_to_stop() -> None:
    """A stop in the middle of a plan ends it after the step that is being done."""
    fake, asked = FakeLio(), iter((False, True))
    done = list(WatchedKernel(fake, lambda: None, lambda: next(asked)).apply(STEPS))
    assert [report.step for report in done] == list(STEPS[:2])
    assert len(fake.objects) == 2
