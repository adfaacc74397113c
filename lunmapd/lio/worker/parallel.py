"""Steps side by side: where the kernel makes a step wait, it waits together with others.

Linking a LUN, unlinking one and giving it another target port group wait for an RCU grace period each (synchronize_rcu in
drivers/target/target_core_alua.c), some 10 ms on a kernel with several processors; those of several LUNs pass
together. LUNs don't stand on one another, and the order of the plan has them in a row. Everything else stays in one lane, so
that a mkdir that hangs with the lock of all of configfs is noticed before there is a second one.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby

from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Step

MAX_THREADS = 32

NumberedStep = tuple[int, Step]
DoStep = Callable[[int, Step], Failure | None]


def split_into_runs(steps: Iterable[Step]) -> Iterator[tuple[NumberedStep, ...]]:
    """Yield the steps with their numbers, those together that may be done side by side."""
    for alike, run in groupby(enumerate(steps), lambda numbered: _parallel_kind(numbered[1])):
        if alike is None:
            yield from ((numbered,) for numbered in run)
        else:
            yield tuple(run)


def _parallel_kind(step: Step) -> str | None:
    return step.action if isinstance(step.item, lio_objects.TpgLun) else None


def has_several_processors() -> bool:
    """Tell whether there are several processors; with one a grace period is over at once, and lanes would only cost."""
    return len(os.sched_getaffinity(0)) > 1


@contextmanager
def step_runner(
    do: DoStep, *, parallel: bool
) -> Iterator[Callable[[Iterable[NumberedStep]], list[Failure | None]]]:
    """Give what does a run, and returns what became of each of its steps."""
    if not parallel:
        yield lambda run: [do(*numbered) for numbered in run]
        return
    with ThreadPoolExecutor(MAX_THREADS, "lane") as pool:
        yield lambda run: _run_in_pool(pool, do, tuple(run))


def _run_in_pool(pool: ThreadPoolExecutor, do: DoStep, run: tuple[NumberedStep, ...]) -> list[Failure | None]:
    if len(run) == 1:
        return [do(*run[0])]
    return list(pool.map(do, *zip(*run, strict=True)))
