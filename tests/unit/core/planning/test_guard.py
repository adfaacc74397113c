"""The guard: much at once waits for a confirmation, little never does."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.node import lio_objects
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.guard import MassRemoval, RemovalLimits, find_mass_removal, removed_keys
from lunmapd.core.planning.plan import plan

T = "iqn.2026-01.org.example:t"
HOSTS = ("iqn.2026-01.org.example:h1", "iqn.2026-01.org.example:h2")


def objects(*numbers: int, hosts: int = 1, disk: str = "l", tag: int = 1) -> lio_objects.DesiredObjects:
    """Return the objects of a node that maps the Luns l<number> to that many hosts."""
    luns = {
        f"l{number}": Lun(
            Block(f"/dev/{disk}{number}"),
            f"{number:032x}",
            maps=tuple(Map(T, number, host) for host in HOSTS[:hosts]),
        )
        for number in numbers
    }
    nodes = {"n1": Node(tag, ("10.0.0.1:3260",))}
    return project_map(
        Lunmap(luns, {T: Target({"n1": PortalGroup(1)})}, dict.fromkeys(HOSTS, Initiator()), nodes=nodes),
        "n1",
    )


def judge(
    before: lio_objects.DesiredObjects,
    after: lio_objects.DesiredObjects,
    limits: RemovalLimits = RemovalLimits(),  # noqa: B008 - it is immutable
) -> MassRemoval | None:
    """Judge the pass from one to the other."""
    return find_mass_removal(plan(after, before), before, limits)


def test_nothing_that_goes_is_never_held() -> None:
    """Additions, and the first pass of an empty kernel, need no confirmation."""
    assert judge({}, objects(*range(50))) is None
    assert judge(objects(1), objects(*range(50))) is None


@pytest.mark.parametrize(("gone", "held"), [(4, False), (5, False), (12, False), (13, True), (50, True)])
def test_more_than_the_share_is_held(gone: int, held: bool) -> None:  # noqa: FBT001 - a table
    """Of 50 mapped LUNs a quarter may go, one more is held."""
    assert (judge(objects(*range(50)), objects(*range(gone, 50))) is not None) is held


@pytest.mark.parametrize(("total", "held"), [(4, False), (5, True)])
def test_up_to_the_minimum_is_never_held(total: int, held: bool) -> None:  # noqa: FBT001 - a table
    """The last four objects of a node may go, the last five not."""
    assert (judge(objects(*range(total)), objects()) is not None) is held


def test_the_sentence_counts_what_goes() -> None:
    """An admin reads how many of how many, and that others come in their place."""
    assert (
        str(judge(objects(*range(50)), objects(*range(40, 50)))) == "remove 40 of 50 mapped LUNs of this node"
    )
    moved = judge(objects(*range(6)), objects(*range(6), disk="x"))
    assert str(moved) == "remove 6 of 6 mapped LUNs of this node, 6 of them to make them anew"


def test_what_is_replaced_counts_as_gone() -> None:
    """Luns whose device or ALUA group changes count as removed, since their successors may fail."""
    assert judge(objects(*range(6)), objects(*range(6), disk="x")) is not None
    assert judge(objects(*range(6)), objects(*range(6), tag=2)) is not None


def test_luns_that_nobody_sees_count_too() -> None:
    """LUNs are counted beside mapped LUNs: here four mapped ones may go, but not the eight LUNs."""
    bare = {
        name: item for name, item in objects(*range(8)).items() if not isinstance(item, lio_objects.MappedLun)
    }
    assert judge(bare, objects()) == MassRemoval("LUNs", 8, 8)


def test_what_was_decided_is_not_judged_again() -> None:
    """Removals that were let pass and could not be done yet don't add to those of the next revision."""
    before, after = objects(*range(20)), objects(*range(8, 20))
    assert judge(before, after) == MassRemoval("mapped LUNs", 8, 20)
    decided = removed_keys(plan(objects(*range(4, 20)), before))
    assert find_mass_removal(plan(after, before), before, RemovalLimits(), decided) is None


def test_limits_are_settings() -> None:
    """A share of 1 holds nothing, one of 0 with a minimum of 0 every removal."""
    before = objects(*range(10), hosts=2)
    assert judge(before, {}, limits=RemovalLimits(1.0, 0)) is None
    held = judge(before, objects(*range(1, 10), hosts=2), limits=RemovalLimits(0.0, 0))
    assert held == MassRemoval("mapped LUNs", 2, 20)


def opened(*tpgs: int, portals: int = 1) -> lio_objects.DesiredObjects:
    """Return ten mapped LUNs in each TPG, with portals, and with these TPGs enabled."""
    items: dict[lio_objects.Key, lio_objects.DesiredObject] = {}
    for tag in (1, 2):
        mapped = objects(*range(10), tag=tag).items()
        items |= {
            key: item
            for key, item in mapped
            if not isinstance(item, lio_objects.Enabled | lio_objects.Portal)
        }
        items |= lio_objects.by_key(
            [lio_objects.Portal(T, tag, f"10.0.{tag}.{index}:3260") for index in range(portals)]
        )
    return items | lio_objects.by_key([lio_objects.Enabled(T, tag, tag) for tag in tpgs])


def test_what_is_behind_a_closed_tpg_counts_as_gone() -> None:
    """Initiators lose the LUNs of a TPG that is disabled, or that loses its last portal."""
    both = opened(1, 2)
    assert judge(both, opened(1)) == MassRemoval("mapped LUNs", 10, 20, closed=10)
    without_portal = {key: item for key, item in both.items() if key != ("portal", T, 2, "10.0.2.0:3260")}
    held = judge(both, without_portal)
    assert held == MassRemoval("mapped LUNs", 10, 20, closed=10)
    assert str(held).endswith("10 of them by closing their TPGs")


def test_a_tpg_that_stays_open_costs_nobody_a_lun() -> None:
    """One portal of several, a new port id, another address, and portals of disabled TPGs don't count."""
    assert judge(opened(1, 2, portals=2), opened(1, 2)) is None
    another_id = {**opened(1), **lio_objects.by_key([lio_objects.Enabled(T, 2, 9)])}
    assert judge(opened(1, 2), another_id) is None
    moved = {
        key: replace(item, address="10.9.9.9:3260") if isinstance(item, lio_objects.Portal) else item
        for key, item in opened(1, 2).items()
    }
    assert judge(opened(1, 2), lio_objects.by_key(moved.values())) is None
    silent = {key: item for key, item in opened(1).items() if key != ("portal", T, 2, "10.0.2.0:3260")}
    assert judge(opened(1), silent) is None
