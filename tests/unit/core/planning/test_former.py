"""Former occupants of LUN addresses: what is remembered, and when it ends."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Group, Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.map.addresses import LunAddress, Occupant
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed, SessionCounters
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.former import (
    MAX_SERIALS,
    Former,
    HolderRecord,
    held_luns,
    hosts_of,
    new_record,
    others_at,
    record_attempts,
    record_change,
    record_created,
    record_observation,
    serial_of,
)
from lunmapd.core.planning.hosts import Hosts, TargetHost
from support.floating_map import FLOATING
from support.floating_map import T as POOL

T, U, V = (f"iqn.2026-01.org.example:{name}" for name in "tuv")
H, G = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:g"
X, Y = "a" * 32, "b" * 32
FIVE = LunAddress(T, H, 5)
FORMER_X = Former("x", X, 2)


def lunmap(**numbers: int) -> Lunmap:
    """Return a map in which the host sees each Lun, x or y, under a number of T."""
    serials = {"x": X, "y": Y, "z": "c" * 32}
    luns = {
        name: Lun(Block(f"/dev/{name}"), serials[name], maps=(Map(T, number, H),))
        for name, number in numbers.items()
    }
    return Lunmap(
        luns,
        {T: Target({"n1": PortalGroup(1)}), U: Target({"n2": PortalGroup(2)})},
        {H: Initiator()},
        nodes={"n1": Node(1), "n2": Node(2)},
    )


def changed(*maps: Lunmap, record: HolderRecord | None = None, node: str = "n1") -> HolderRecord:
    """Return the record after the maps of revisions 1, 2, ..."""
    record = record or HolderRecord(1)
    for revision, (before, after) in enumerate(pairwise(maps), 2):
        record = record_change(record, before, after, node, revision)
    return record


def test_a_number_that_leads_elsewhere_has_a_former_occupant() -> None:
    """So has one that leads nowhere; what x had at first is what a host may hold."""
    assert changed(lunmap(x=5), lunmap(y=5)).former == {FIVE: (FORMER_X,)}
    assert changed(lunmap(x=5), lunmap()).former == {FIVE: (FORMER_X,)}
    assert changed(lunmap(x=5), lunmap(), lunmap(y=5)).former == {FIVE: (FORMER_X,)}


def test_a_lun_that_was_never_there_is_no_former_occupant() -> None:
    """Y was held at the number that led to x, so no host holds it."""
    assert changed(lunmap(x=5), lunmap(y=5), lunmap(z=5)).former == {FIVE: (FORMER_X,)}


def test_the_same_serial_under_its_number_is_no_danger() -> None:
    """Undoing the change needs no override, unless another Lun may have been there meanwhile.

    The record ends it once the Lun was observed: until then the map may change again.
    """
    undone = changed(lunmap(x=5), lunmap(y=5), lunmap(x=5))
    assert others_at(undone.former, FIVE, X) == ()
    assert record_created(undone, lunmap(x=5), project_map(lunmap(x=5), "n1")).former == {}
    between = record_attempts(changed(lunmap(x=5), lunmap(y=5)), [(FIVE, Occupant("y", Y))], 2)
    assert between.former[FIVE] == (FORMER_X, Former("y", Y, 2))
    assert changed(lunmap(y=5), lunmap(x=5), record=between).former == between.former


def test_a_change_of_another_node_is_none_of_ours() -> None:
    """Sessions with other nodes have devices of their own, which these nodes remember."""
    assert changed(lunmap(x=5), lunmap(y=5), node="n2").former == {}
    known = HolderRecord(1, hosts=Hosts({TargetHost(T, H): frozenset("1")}))
    assert changed(lunmap(x=5), lunmap(y=5), node="n2", record=known).former == {FIVE: (FORMER_X,)}


def test_a_record_begins_with_all_initiators_of_the_node() -> None:
    """A node that remembers nothing can't exclude that they hold what they reach."""
    maps = (Map(T, 5, group="both"), Map(U, 5, H))
    many = replace(lunmap(), luns={"x": Lun(Block("/dev/x"), X, maps=maps)}, groups={"both": Group((H, G))})
    assert list(hosts_of(many, "n1")) == [TargetHost(T, G), TargetHost(T, H)]
    record = new_record(many, "n1", 7)
    assert (record.since, record.hosts.may_hold(T, G), record.hosts.may_hold(U, H)) == (7, True, False)


def test_a_node_of_a_floating_group_remembers_its_hosts() -> None:
    """It may have been the owner; a node that serves nothing remembers nobody."""
    hosts = [list(hosts_of(FLOATING, node)) for node in ("n1", "n2", "n3")]
    assert hosts == [[TargetHost(POOL, H)], [TargetHost(POOL, H)], []]


def test_what_no_host_may_hold_is_forgotten() -> None:
    """An observation without any login since the target was made shows that."""
    record = changed(lunmap(x=5), lunmap(y=5))
    held = replace(record, hosts=Hosts({TargetHost(T, H): frozenset("1")}))
    assert record_observation(record, Observed()).former == {}
    assert record_observation(held, Observed()).former == held_luns(held) == record.former


def test_what_is_still_there_is_not_forgotten() -> None:
    """A host that logs in before it is deleted finds it; until then nobody holds it."""
    record = changed(lunmap(x=5), lunmap(y=5))
    for there, kept in ((lunmap(x=5), True), (lunmap(y=5), False), (lunmap(x=6), False)):
        observed = Observed(project_map(there, "n1"), counters={T: SessionCounters(1)})
        found = record_observation(record, observed)
        assert ((found.former == record.former), held_luns(found)) == (kept, {})


@pytest.mark.parametrize(
    ("after", "there", "ends"),
    [
        (lunmap(y=5), lunmap(y=5), True),
        (lunmap(y=5), lunmap(x=5), False),
        (lunmap(x=6), lunmap(x=5), False),
        (lunmap(), lunmap(x=5), False),
        (
            replace(lunmap(y=5), luns={"y": replace(lunmap(y=5).luns["y"], serial="d" * 32)}),
            lunmap(y=5),
            False,
        ),
        (replace(lunmap(y=5), luns={"y": Lun(Block("/dev/y"), Y, maps=(Map(T, 5, G),))}), lunmap(y=5), False),
    ],
    ids=["created", "old one there", "renumbered", "removed", "another serial", "another initiator"],
)
def test_a_lun_that_is_where_the_map_says_ends_it(after: Lunmap, there: Lunmap, *, ends: bool) -> None:
    """An override allowed it, or nothing has changed in the kernel."""
    record = HolderRecord(1, {FIVE: (FORMER_X,)})
    found = record_created(record, after, project_map(there, "n1"))
    assert (found.former == {}) is ends
    assert record_created(HolderRecord(1), after, project_map(there, "n1")).former == {}


def test_attempts_are_bounded() -> None:
    """With two serials at an address none may be created there, so more of them say nothing new."""
    record = HolderRecord(1, {FIVE: (FORMER_X,)})
    for number in range(10):
        record = record_attempts(record, [(FIVE, Occupant("y", str(number)))], number)
        assert record_attempts(record, [(FIVE, Occupant("y", "0"))], 99) == record
    assert len(record.former[FIVE]) == MAX_SERIALS


def test_a_mapped_lun_without_its_storage_object_has_no_serial() -> None:
    """That is a state that the plan removes."""
    item = lio_objects.MappedLun(T, 1, H, 5, "x", write_protect=False)
    assert serial_of(item, {}) is None
