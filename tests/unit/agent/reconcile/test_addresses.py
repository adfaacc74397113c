"""The address record of a running node: the map that it follows, and the rules of a pass."""

from pathlib import Path

import pytest

from fakes.clock import Clock
from lunmapd.agent.reconcile.addresses import AddressKeeper, list_former
from lunmapd.agent.state.address_file import ADDRESS_FILE, AddressFile
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.fleet.status import MAX_FORMER, FormerOccupant
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.former import Former, HolderRecord
from lunmapd.core.planning.hosts import Hosts, TargetHost
from lunmapd.core.planning.other_data import EMPTY_SECONDS, AddressRules, Reuse
from lunmapd.core.planning.plan import Action, Step
from lunmapd.store.tree.snapshot import Snapshot

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
X, Y = "1" * 32, "2" * 32
FIVE = LunAddress(T, H, 5)


def snapshot(revision: int, **serials: str) -> Snapshot:
    """Return a map in which the host sees one Lun under number 5."""
    luns = {
        name: Lun(Block(f"/dev/{name}"), serial, maps=(Map(T, 5, H),)) for name, serial in serials.items()
    }
    lunmap = Lunmap(luns, {T: Target({"n1": PortalGroup(1)})}, {H: Initiator()}, nodes={"n1": Node(1)})
    return Snapshot("c", revision, "d", "d", 0, lunmap)


def keeper(directory: Path, clock: Clock | None = None) -> AddressKeeper:
    """Start with what is on the disk."""
    return AddressKeeper(AddressFile(directory, "boot"), "n1", clock or Clock())


def test_a_node_without_a_record_trusts_nobody(tmp_path: Path) -> None:
    """The record begins with the oldest map that is known, and all of its initiators may hold its Luns."""
    first = keeper(tmp_path)
    assert (first.record, first.rules(Reuse()), first.seconds_left(FIVE)) == (None, AddressRules(), 0.0)
    first.observe(Observed())
    first.confirm(Lunmap(), {})
    first.follow(snapshot(3, x=X), snapshot(4, y=Y))
    again = keeper(tmp_path)
    assert again.record is not None
    assert again.record.since == 3
    assert list_former(again.record) == (FormerOccupant(T, H, 5, "x", X, 4),)
    assert again.rules(Reuse()).former == again.rules(Reuse(), is_full=False).former
    assert again.condition().status


def test_a_restored_tree_counts_its_revisions_anew(tmp_path: Path) -> None:
    """The record keeps what hosts hold, and covers only the revisions of the new tree."""
    node = keeper(tmp_path)
    node.follow(None, snapshot(7, x=X))
    restored = snapshot(2, y=Y)
    node.follow(snapshot(7, x=X), Snapshot("c", 2, "d", "d", 0, restored.lunmap, incarnation=1))
    assert node.record is not None
    assert (node.record.since, list(node.record.former)) == (2, [FIVE])


def test_a_number_must_be_empty_for_a_while(tmp_path: Path) -> None:
    """The time counts from the first observation that shows it empty, and is lost with the daemon."""
    clock = Clock(100.0)
    node = keeper(tmp_path, clock)
    node.follow(snapshot(1, x=X), snapshot(2, y=Y))
    node.observe(Observed(project_map(snapshot(1, x=X).lunmap, "n1")))
    assert (node.emptied, node.seconds_left(FIVE)) == ({}, EMPTY_SECONDS)
    node.observe(Observed())
    clock.now += 10
    node.observe(Observed())
    assert (node.emptied, node.rules(Reuse()).emptied) == ({FIVE: 100.0}, {FIVE: 10.0})
    assert (node.seconds_left(FIVE), node.seconds_left(LunAddress(T, H, 6))) == (20.0, 0.0)
    there = project_map(snapshot(2, y=Y).lunmap, "n1")
    node.confirm(snapshot(2, y=Y).lunmap, there)
    node.observe(Observed(there))
    assert (node.emptied, node.rules(Reuse()).former) == ({}, {})


def test_what_can_not_be_recorded_is_not_created(tmp_path: Path) -> None:
    """The attempt fails, the condition names the file, and the rules of the next pass say so."""
    node = keeper(tmp_path)
    node.follow(snapshot(1, x=X), snapshot(2, y=Y))
    wanted = project_map(snapshot(2, y=Y).lunmap, "n1")
    steps = (Step(Action.CREATE, lio_objects.MappedLun(T, 1, H, 5, "y", write_protect=False), ""),)
    rules = node.rules(Reuse(all=True))
    assert node.attempt((), wanted, rules, 2)
    (tmp_path / f"{ADDRESS_FILE}.new").mkdir()
    assert not node.attempt(steps, wanted, rules, 2)
    assert not node.rules(Reuse(all=True)).can_record
    assert ADDRESS_FILE in node.condition().message
    assert node.record is not None
    assert [each.name for each in node.record.former[FIVE]] == ["x", "y"]


def test_a_damaged_file_is_logged_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The node goes on as one that remembers nothing."""
    (tmp_path / ADDRESS_FILE).write_text("{")
    assert keeper(tmp_path).record is None
    assert "can't be used" in caplog.text


def test_a_status_lists_a_bounded_number() -> None:
    """The count is that of all."""
    former = {LunAddress(T, H, number): (Former("x", X, 2),) for number in range(MAX_FORMER + 1)}
    hosts = Hosts({TargetHost(T, H): frozenset()})
    assert len(list_former(HolderRecord(1, former, hosts))) == MAX_FORMER
