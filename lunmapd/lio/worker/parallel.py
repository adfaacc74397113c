"""Steps in parallel threads, so that several steps wait for the kernel at the same time.

Linking a LUN, unlinking it and changing its target port group each wait for an RCU grace period
(synchronize_rcu in drivers/target/target_core_alua.c), some 10 ms on a kernel with several processors.
Several LUNs can wait for the same grace period. LUNs don't depend on each other, and they are consecutive in
the order of the plan. All other steps run one after the other, so that a mkdir that is stuck with the lock of
all of configfs is noticed before a second one starts.
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
"""A step with its number in the batch."""

DoStep = Callable[[int, Step], Failure | None]


def split_into_runs(steps: Iterable[Step]) -> Iterator[tuple[NumberedStep, ...]]:
    """Yield the steps with their numbers, in runs of steps that may run in parallel."""
    for kind, run in groupby(enumerate(steps), lambda numbered: _parallel_kind(numbered[1])):
        if kind is None:
            yield from ((numbered,) for numbered in run)
        else:
            yield tuple(run)


def _parallel_kind(step: Step) -> str | None:
    return step.action if isinstance(step.item, lio_objects.TpgLun) else None


def has_several_processors() -> bool:
    """Return whether there are several processors.

    With one, a grace period ends at once and threads only cost time.
    """
    return len(os.sched_getaffinity(0)) > 1


@contextmanager
def step_runner(
    do: DoStep, *, parallel: bool
) -> Iterator[Callable[[Iterable[NumberedStep]], list[Failure | None]]]:
    """Yield a function that applies a run of steps and returns a failure or None for each."""
    if not parallel:
        yield lambda run: [do(*numbered) for numbered in run]
        return
    with ThreadPoolExecutor(MAX_THREADS, "step") as pool:
        yield lambda run: _run_in_pool(pool, do, tuple(run))


def _run_in_pool(pool: ThreadPoolExecutor, do: DoStep, run: tuple[NumberedStep, ...]) -> list[Failure | None]:
    if len(run) == 1:
        return [do(*run[0])]
    return list(pool.map(do, *zip(*run, strict=True)))
