"""What the nodes would do, as it is printed."""

from datetime import UTC, datetime

from msgspec.structs import replace

from lunmapd.client import Lunmap
from lunmapd.core.base.lunmap import Access, Group, Initiator, Map, PortalGroup, Target
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import FormerOccupant
from lunmapd.service.ctl.text.forecast_lines import plan_paragraphs, plan_report
from support.agents import mapped_luns
from support.forecasts import HERE, forecast, proposal, view
from support.small_map import LUN, MAP, H, T

SOON = datetime(2026, 1, 1, 0, 0, 41, tzinfo=UTC)
NONE = replace(MAP, luns={"a": replace(LUN, maps=())})
READ_ONLY = replace(MAP, luns={"a": replace(LUN, maps=(Map(T, 3, H, access=Access.READ_ONLY),))})


def printed(before: Lunmap, after: Lunmap, **views: NodeView) -> list[str]:
    """Return the lines, without the empty ones between paragraphs."""
    made = forecast(before, after, views)
    return [line for part in plan_paragraphs(proposal(before, after), made, SOON) for line in part]


def test_nodes_that_do_the_same_share_a_line() -> None:
    """The map in words, the nodes with their steps, the hosts by their short names, and the sum."""
    assert printed(MAP, READ_ONLY, n1=view(HERE), n2=view(HERE)) == [
        "~ luns/a",
        "    maps: h LUN 3 at t, rw -> ro",
        "NODES  STEPS  HELD  WORST FOR WHO IS LOGGED IN",
        "n1 n2  2      -     data-unreachable: h (a)",
        "1 host disturbed: h; no node would hold steps (logins as of at most 41 s ago).",
    ]


def test_what_is_to_be_known_follows_the_table() -> None:
    """Holds with their reason, nodes that are not converged, and what is assumed."""
    lines = printed(MAP, NONE, n1=view(HERE, allow="none"), n2=view(live=False, limits=None))
    assert lines[3:5] == ["n1     1      4     -", "n2     5      -     -"]
    text = " ".join(line.strip() for line in lines)
    assert f"n1 would hold steps: data-unreachable for {H}, logged in now: held until they log out" in text
    assert "n2 is dead: these steps wait until the node is back" in text
    assert "note: n2: lunmapd 0.1.0 does not report its settings" in text
    assert "No host is disturbed; n1 would hold steps" in text
    assert max(map(len, lines)) <= 80


def test_a_mass_removal_disturbs_after_it_is_confirmed() -> None:
    """The sum does not promise that nobody notices it."""
    lines = printed(mapped_luns(*range(20)), mapped_luns(*range(4)), n1=view(HERE))
    assert "No host is disturbed before 'lunmapctl confirm'; n1" in " ".join(lines)


def test_nobody_who_never_reported_has_an_age() -> None:
    """Without any status there are no logins of some time; nodes in one state share a line."""
    assert printed(NONE, MAP)[-2:] == [
        "n1, n2 are absent, without a status: these steps wait until the first start",
        "No host is disturbed; no node would hold steps.",
    ]


def test_a_leaving_node_and_a_moved_number_are_told() -> None:
    """The node goes on serving its hosts, and a host may write into the other Lun."""
    gone = replace(MAP, nodes={"n1": MAP.nodes["n1"]}, targets={T: Target({"n1": PortalGroup(1)})})
    text = " ".join(line.strip() for line in printed(MAP, gone, n1=view(HERE), n2=view(HERE)))
    leaves = "n2 is not in the new map: it changes nothing, and goes on serving"
    assert f"{leaves} h as before; 'lunmapctl retire n2' ends that first" in text
    unused = " ".join(line.strip() for line in printed(MAP, gone, n1=view(HERE), n2=view()))
    assert f"{leaves} as before" in unused
    former = (FormerOccupant(T, H, 4, "b", "b" * 32, 2),)
    more = replace(MAP, luns={**MAP.luns, "c": replace(LUN, serial="3" * 32, maps=(Map(T, 4, H),))})
    lines = printed(MAP, more, n1=view(HERE, former=former, former_count=1), n2=view(HERE))
    text = " ".join(line.strip() for line in lines)
    assert "LUN 4 of h at t led to b and leads to c: a host that still has that device writes into c" in text


def test_many_lines_of_one_kind_are_cut() -> None:
    """The rest is in the JSON."""
    former = tuple(FormerOccupant(T, H, number, "old", "e" * 32, 2) for number in range(30))
    known = view(HERE, former=former, former_count=30)
    lines = printed(mapped_luns(99), mapped_luns(99, *range(30)), n1=known)
    assert "10 more such; '-o json' has all" in lines


def test_maps_are_told_in_words() -> None:
    """A new number, a new and a removed map, groups, and those of a Lun that is added."""
    base = replace(MAP, groups={"web": Group((H,))}, initiators={H: Initiator()})
    moved = replace(base, luns={"a": replace(LUN, maps=(Map(T, 5, H),))})
    group = replace(base, luns={"a": replace(LUN, maps=(Map(T, 3, group="web"),))})
    bare = replace(base, luns={})
    assert printed(base, moved)[:2] == ["~ luns/a", "    maps: h LUN 3 at t, rw -> h LUN 5 at t, rw"]
    assert printed(base, group)[:3] == [
        "~ luns/a",
        "    maps: - h LUN 3 at t, rw",
        "    maps: + group web LUN 3 at t, rw",
    ]
    assert printed(bare, base)[:2] == ["+ luns/a", "    maps: + h LUN 3 at t, rw"]
    assert printed(base, bare)[:2] == ["- luns/a", "    maps: - h LUN 3 at t, rw"]


def test_the_json_has_every_step() -> None:
    """Programs read the worst class, who is disturbed and the nodes with all steps."""
    report = plan_report(proposal(MAP, NONE), forecast(MAP, NONE, {"n1": view(HERE), "n2": view()}))
    assert (report.worst, report.disturbed, report.holding) == ("data-unreachable", (H,), ())
    assert report.changes[0].path == "luns/a"
    assert len(report.nodes[0].steps) == 5
