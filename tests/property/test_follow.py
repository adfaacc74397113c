"""Partial passes, with failing and drifted objects, lead to the same state as full passes."""

import uuid
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import CrashedError, FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey
from lunmapd.core.base.backings import source
from lunmapd.core.base.lunmap import Lunmap, TpgId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.leases import as_leased
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.drift import CLASSES
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.secrets.sealing import Vault
from support.drift import REPORTED, drifted
from support.strategies import MIB, NODES, leases, lunmaps

AUDIT = 3600.0
SIZES = st.sampled_from([MIB, 2 * MIB, 3 * MIB])
ALL = frozenset(CLASSES)
FAILS = Failure(Reason.KERNEL_REFUSED, "no")


class Node:
    """A node on a fake LIO; with an `audit` of 0 each of its passes is a whole one."""

    def __init__(
        self, name: str, directory: Path, audit: float, failures: Sequence[lio_objects.Key] = ()
    ) -> None:
        self.kernel = FakeLio()
        self.kernel.failures = dict.fromkeys(failures, FAILS)
        self.clock = Clock(1000.0)
        self._name = name
        self._audit = audit
        self._directory = directory / str(uuid.uuid4())
        self._directory.mkdir()
        self._revisions: dict[int, int] = {}
        self.restart()

    def restart(self) -> None:
        """Start a new daemon, with the state that the old one kept on its disk."""
        self._state = PassState(self._audit, 60.0, self.clock)
        self._decided: frozenset[lio_objects.Key] = frozenset()
        self._seen = SeenFile(self._directory)

    def follow(self, lunmap: Lunmap, report: AbstractSet[str] = ALL) -> PassResult:
        """Make a pass."""
        revision = self._revisions.setdefault(id(lunmap), len(self._revisions))
        given = PassInput(
            self._name,
            revision,
            lunmap,
            {},
            Vault("c"),
            decided=self._decided,
            limits=RemovalLimits(share=1.0),
            report=report,
        )
        edges = PassPorts(self.kernel, Claims(self._directory), seen=self._seen)
        result = reconcile(
            edges, given, self._state, ValidityKey(HistoryPoint("c", revision, "d"), self._name, "boot", ())
        )
        self._decided = frozenset(result.decided)
        self._state.baseline.save(self._seen)
        return result

    def lease(self, lunmap: Lunmap, owned: AbstractSet[TpgId]) -> None:
        """Enable the groups of these TPGs that exist, and disable the others, as their loop does."""
        objects = self.kernel.objects
        for key, item in project_map(lunmap, self._name, {PORT_ID}).items():
            if isinstance(item, lio_objects.Enabled) and item.tag > len(NODES):
                objects.pop(key, None)
                if (item.iqn, item.tag) in owned and ("tpg", item.iqn, item.tag) in objects:
                    objects[key] = item

    def crash(self, lunmap: Lunmap, report: AbstractSet[str], steps: int) -> None:
        """Make a pass that may be cut short after so many steps."""
        self.kernel.crash_after = steps
        with suppress(CrashedError):
            self.follow(lunmap, report)
        self.kernel.crash_after = None


@st.composite
def chains(draw: st.DrawFn) -> list[Lunmap]:
    """Draw maps with the same targets, groups and nodes, and any Luns of one map, in two sizes."""
    base = draw(lunmaps())
    names = st.sets(st.sampled_from(sorted(base.luns))) if base.luns else st.just(set[str]())
    found = []
    for _ in range(4):
        gone, fewer, grown = draw(names), draw(names), draw(names)
        luns = {
            name: replace(lun, maps=lun.maps[1:])
            if name in fewer and not (lun.nodes or lun.preferred)
            else lun
            for name, lun in base.luns.items()
            if name not in gone
        }
        luns |= {
            name: replace(luns[name], size=(luns[name].size or MIB) + MIB) for name in grown & luns.keys()
        }
        found.append(replace(base, luns=luns))
    return found


def wanted(lunmap: Lunmap, node: str, owned: AbstractSet[TpgId] = frozenset()) -> lio_objects.DesiredObjects:
    """Return the objects of a node by a map, and with the leases of these TPGs."""
    return as_leased(project_map(lunmap, node, {PORT_ID}), {("enabled", *tpg) for tpg in owned})


Case = tuple[str, list[Lunmap], list[lio_objects.Key]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw maps, the node that has most of the first, and what fails there."""
    maps = draw(chains())
    node = max(NODES, key=lambda name: len(project_map(maps[0], name)))
    names = sorted({name for lunmap in maps for name in project_map(lunmap, node, {PORT_ID})}, key=str)
    failing = draw(st.lists(st.sampled_from(names), max_size=3)) if names else []
    return node, maps, failing


def _told(
    result: PassResult,
) -> tuple[dict[lio_objects.Key, Reason], set[tuple[str, lio_objects.Key]], frozenset[lio_objects.Key]]:
    reasons = {name: failure.reason for name, failure in result.failures.items()}
    left = {(step.action.value, lio_objects.key_of(step.item)) for step in result.left}
    return reasons, left, frozenset(result.decided)


@given(case=cases(), data=st.data(), by_hand=st.booleans())
def test_parts_beside_what_fails_are_as_good_as_whole_passes(
    case: Case, data: st.DataObject, *, by_hand: bool
) -> None:
    """With any failures, sizes and drift, kernel, failures, withheld steps and decisions are the same."""
    name, maps, failing = case
    paths = {source(lun.backing) for lunmap in maps for lun in lunmap.luns.values()}
    with TemporaryDirectory() as place:
        parts, whole = (Node(name, Path(place), audit, failing) for audit in (AUDIT, 0.0))
        parts.kernel.sizes = whole.kernel.sizes = {path: data.draw(SIZES) for path in sorted(paths)}
        for node in (parts, whole):
            node.follow(maps[0])
        if by_hand:
            parts.kernel.objects = data.draw(drifted(parts.kernel.objects))
            whole.kernel.objects = dict(parts.kernel.objects)
            parts.clock.now += AUDIT
        for lunmap in maps:
            looks = parts.kernel.looks
            told = _told(parts.follow(lunmap))
            assert told == _told(whole.follow(lunmap))
            assert parts.kernel.objects == whole.kernel.objects
            how = "part" if parts.kernel.looks == looks else "whole"
            event(f"{how} beside {'something' if told[0] else 'nothing'}")


@given(case=cases(), data=st.data())
def test_leases_are_followed_beside_the_passes(case: Case, data: st.DataObject) -> None:
    """A group that its lease enabled or disabled before a pass stays so, in partial and in full passes."""
    name, maps, failing = case
    with TemporaryDirectory() as place:
        parts, whole = (Node(name, Path(place), audit, failing) for audit in (AUDIT, 0.0))
        for lunmap in maps:
            owned, looks = data.draw(leases(lunmap)), parts.kernel.looks
            for node in (parts, whole):
                node.lease(lunmap, owned)
            assert _told(parts.follow(lunmap)) == _told(whole.follow(lunmap))
            event(f"{'part' if parts.kernel.looks == looks else 'whole'} with {len(owned)} leases")
            for node in (parts, whole):
                node.lease(lunmap, owned)
                node.clock.now += AUDIT
                node.follow(lunmap)
                if not failing:
                    assert node.kernel.objects == wanted(lunmap, name, owned)


def _made_anew(lunmap: Lunmap) -> Lunmap:
    """Return the map with other serials, which recreates every Lun with its dependants."""
    luns = {
        name: replace(lun, serial=f"{number:02x}{'6' * 30}")
        for number, (name, lun) in enumerate(lunmap.luns.items())
    }
    return replace(lunmap, luns=luns)


@given(case=cases(), audit=st.sampled_from([0.0, AUDIT]))
def test_what_failed_is_never_taken_for_drift(case: Case, audit: float) -> None:
    """With `report` and without drift, everything is applied as soon as nothing fails any more."""
    name, maps, failing = case
    with TemporaryDirectory() as place:
        node = Node(name, Path(place), audit)
        node.follow(maps[0])
        node.kernel.failures = dict.fromkeys(failing, FAILS)
        for lunmap in (_made_anew(maps[0]), *maps):
            found = node.follow(lunmap)
            assert Reason.DRIFTED not in {failure.reason for failure in found.failures.values()}
        node.kernel.failures = {}
        node.clock.now += AUDIT
        node.follow(maps[-1])
        assert node.follow(maps[-1]).converged
        assert node.kernel.objects == wanted(maps[-1], name)


@given(case=cases(), steps=st.integers(0, 12), restarts=st.booleans())
def test_what_a_crash_left_is_never_taken_for_drift(case: Case, steps: int, *, restarts: bool) -> None:
    """An interrupted pass is completed by the same daemon or the next one, also with `report`."""
    name, maps, _ = case
    with TemporaryDirectory() as place:
        node = Node(name, Path(place), AUDIT)
        node.follow(maps[0])
        for lunmap in (_made_anew(maps[0]), *maps):
            node.crash(lunmap, ALL, steps)
            if restarts:
                node.restart()
        for _ in range(3):
            node.follow(maps[-1])
        assert node.kernel.objects == wanted(maps[-1], name)


@given(case=cases(), steps=st.integers(0, 12), restarts=st.booleans(), report=REPORTED, data=st.data())
def test_a_repair_that_was_cut_short_is_gone_on_with(
    case: Case, steps: int, report: set[str], data: st.DataObject, *, restarts: bool
) -> None:
    """Objects that lunmapd removed to repair drift are made again, and other drift stays."""
    name, maps, _ = case
    with TemporaryDirectory() as place:
        straight, crashed = (Node(name, Path(place), 0.0) for _ in range(2))
        for node in (straight, crashed):
            node.follow(maps[0])
        straight.kernel.objects = data.draw(drifted(straight.kernel.objects))
        crashed.kernel.objects = dict(straight.kernel.objects)
        crashed.crash(maps[0], report, steps)
        if restarts:
            crashed.restart()
        for _ in range(3):
            told = _told(crashed.follow(maps[0], report))
        straight.follow(maps[0], report)
        assert told == _told(straight.follow(maps[0], report))
        assert crashed.kernel.objects == straight.kernel.objects
