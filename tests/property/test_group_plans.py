"""The groups of a node, followed from map to map, are those of the newest map."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.agent.floating.group_plan import GroupPlans, plans_for
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.map_change import change_between
from support.strategies import NODES, lunmaps


@given(st.data(), st.lists(lunmaps(), min_size=1, max_size=4), st.sampled_from(NODES))
def test_groups_that_are_followed_are_those_of_the_map(
    data: st.DataObject, maps: list[Lunmap], node: str
) -> None:
    """Whether a change is known or not, and whether it concerns all objects or some Luns of the map."""
    plans, before = GroupPlans(node), Lunmap()
    for drawn in maps:
        names = data.draw(st.sets(st.sampled_from(sorted(drawn.luns)))) if drawn.luns else set()
        kept = {name: lun for name, lun in drawn.luns.items() if name not in names}
        for after in (drawn, replace(drawn, luns=kept), drawn):
            known = change_between(before, after) if data.draw(st.booleans()) else None
            assert plans.follow(after, known) == plans_for(after, node)
            before = after
