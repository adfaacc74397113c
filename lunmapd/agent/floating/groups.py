"""The floating portal groups and takeover groups of a node, each followed by a thread of its own.

A pass may take minutes, and disabling a TPG waits for its commands; neither may delay the renewal of a lease.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import GroupPlan, GroupPlans
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.agent.floating.view import GroupView
from lunmapd.core.base.lunmap import GroupId, Lunmap
from lunmapd.core.floating.lease import LeaseTimes
from lunmapd.core.history.map_change import MapChange
from lunmapd.core.placement.leased_groups import takeover_nodes
from lunmapd.core.planning.moving import ServedGroup

_PAUSE = 1.0  # seconds after an unexpected error


class FloatingGroups(Protocol):
    """The floating groups of this node, as a cycle uses them; it never waits for them."""

    def follow(self, lunmap: Lunmap, known: MapChange | None = None, /) -> None:
        """Follow the groups of this map from now on; `known` is the change that led to it, if it is known."""

    def judge(self, judgements: Mapping[GroupId, Judgement]) -> None:
        """Take how well this node can own each group, by its last pass."""

    def views(self) -> tuple[GroupView, ...]:
        """Return the present state of each group."""

    def served(self, revision: int, /) -> tuple[ServedGroup, ...]:
        """Return the portal groups that this node owns; `revision` is the one that it is about to apply."""


class NoFloatingGroups:
    """Follows no group."""

    def follow(self, lunmap: Lunmap, _: MapChange | None = None, /) -> None:
        """Do nothing."""

    def judge(self, judgements: Mapping[GroupId, Judgement]) -> None:
        """Do nothing."""

    def views(self) -> tuple[GroupView, ...]:
        """Return nothing."""
        return ()

    def served(self, _: int, /) -> tuple[ServedGroup, ...]:
        """Return nothing."""
        return ()


class _Running(NamedTuple):
    """A group, what wakes its thread, and the thread."""

    group: LeasedGroup
    wake: threading.Event
    thread: threading.Thread


MakeEdges = Callable[[GroupId, Callable[[], None]], Edges]
"""Takes a group and what wakes its thread; returns what the group acts on."""


class GroupThreads:
    """Runs a thread for each group that names this node. `changed` is called when one is shown otherwise.

    `record` logs an unexpected error.
    """

    def __init__(
        self,
        me: Identity,
        make: MakeEdges,
        changed: Callable[[], None],
        record: Callable[[Exception], object],
        times: LeaseTimes = LeaseTimes(),  # noqa: B008 - immutable
    ) -> None:
        """Prepare; the first group starts the first thread."""
        self._me, self._make, self._changed, self._record, self._times = me, make, changed, record, times
        self._plans = GroupPlans(me.node)
        self._running: dict[GroupId, _Running] = {}
        self._stopping = threading.Event()

    def follow(self, lunmap: Lunmap, known: MapChange | None = None, /) -> None:
        """Start threads for new groups; a group that left the map is given up by its thread."""
        wanted = self._plans.follow(lunmap, known)
        self._running = {
            name: each for name, each in self._running.items() if name in wanted or each.thread.is_alive()
        }
        for name, each in self._running.items():
            each.group.listed = name in wanted
            each.group.plan = wanted.get(name) or each.group.plan.ended()
            each.wake.set()
        for name, plan in wanted.items():
            if name not in self._running or not self._running[name].thread.is_alive():
                self._running[name] = self._start(plan)

    def _start(self, plan: GroupPlan) -> _Running:
        wake = threading.Event()
        group = LeasedGroup(plan, self._me, self._make(plan.id, wake.set), self._times)
        thread = threading.Thread(
            target=self._run, args=(group, wake), name=f"floating {plan.id.name}", daemon=True
        )
        thread.start()
        return _Running(group, wake, thread)

    def _run(self, group: LeasedGroup, wake: threading.Event) -> None:
        while not self._stopping.is_set() and not group.is_over:
            before = group.view.shown
            wake.clear()
            try:
                seconds = group.step()
            except Exception as error:  # noqa: BLE001 - the other groups and the daemon go on
                self._record(error)
                seconds = _PAUSE
            if group.view.shown != before:
                self._changed()
            wake.wait(seconds)

    def judge(self, judgements: Mapping[GroupId, Judgement]) -> None:
        """Take how well this node can own each group, by its last pass."""
        for name, each in self._running.items():
            each.group.judgement = judgements.get(name, each.group.judgement)
            each.wake.set()

    def views(self) -> tuple[GroupView, ...]:
        """Return the present state of each group."""
        return tuple(each.group.view for _, each in sorted(self._running.items()))

    def served(self, revision: int, /) -> tuple[ServedGroup, ...]:
        """Return the portal groups that this node owns; `revision` is the one that it is about to apply."""
        groups = [each.group for _, each in sorted(self._running.items())]
        return tuple(
            ServedGroup(*group.plan.tpg, group.others(revision))
            for group in groups
            if group.view.owner == self._me.node and not takeover_nodes(group.plan.id)
        )

    @property
    def owns_any(self) -> bool:
        """Whether this node owns a group."""
        return any(view.owner == self._me.node for view in self.views())

    def release(self, seconds: float) -> None:
        """Give up all groups; wait at most `seconds` until the other nodes may take them."""
        until = time.monotonic() + seconds
        for each in self._running.values():
            each.group.leaving = True
            each.wake.set()
        while time.monotonic() < until and self.owns_any:
            self._stopping.wait(0.05)

    def outlast_restart(self, seconds: float) -> None:
        """Let the addresses stay for a restart of the daemon; wait at most `seconds` for the kernel."""
        until = time.monotonic() + seconds
        for each in self._running.values():
            each.group.restarting = True
            each.wake.set()
        while time.monotonic() < until and not self._outlasts_restart:
            self._stopping.wait(0.05)

    @property
    def _outlasts_restart(self) -> bool:
        return all(each.group.outlasts_restart for each in self._running.values())

    def stop(self) -> None:
        """End the threads. The addresses stay for the rest of their leases."""
        self._stopping.set()
        for each in self._running.values():
            each.wake.set()
        for each in self._running.values():
            each.thread.join(1.0)
