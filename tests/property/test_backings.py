"""Whatever the files and devices of the Luns are now, no pass opens other data by itself."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.opening import Opened
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput, compare, decide
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from support.drift import apply_strictly
from support.strategies import NODES, lunmaps

OPENED = {
    NameState.SAME: Opened.CURRENT,
    NameState.RETURNED: Opened.GONE,
    NameState.REPLACED: Opened.OTHER,
}
NO_LIMITS = RemovalLimits(share=1.0)
"""With them nothing is a mass removal."""


@st.composite
def sites(draw: st.DrawFn) -> tuple[Lunmap, str, Observed]:
    """Draw a node that served a map, with its backings in any state, and the map that it follows now."""
    before = draw(lunmaps())
    node = max(NODES, key=lambda name: len(project_map(before, name)))
    objects = dict[lio_objects.Key, lio_objects.Object](project_map(before, node, {PORT_ID}))
    backings: dict[str, BackingFacts] = {}
    for key, item in list(objects.items()):
        if isinstance(item, lio_objects.StorageObject):
            state = draw(st.sampled_from(sorted(OPENED)))
            objects[key] = replace(item, opened=OPENED[state])
            backings[item.name] = BackingFacts(state)
    observed = Observed(objects, features=frozenset({PORT_ID}), backings=backings)
    return draw(st.one_of(st.just(before), lunmaps())), node, observed


@given(sites())
def test_other_data_is_opened_only_where_the_map_gives_another_path(
    site: tuple[Lunmap, str, Observed],
) -> None:
    """A Lun with other data under the same path stays as it is, or goes; all others are made as desired."""
    lunmap, node, observed = site
    given_pass = PassInput(node, 1, lunmap, {}, Vault("c"), limits=NO_LIMITS)
    comparison = compare(given_pass, observed)
    found = decide(given_pass, comparison, None, {}, {})
    after = apply_strictly(observed.objects, found.steps)
    for key, item in observed.objects.items():
        wanted = comparison.desired.get(key)
        if not isinstance(item, lio_objects.StorageObject):
            continue
        stays = item.opened is Opened.OTHER and getattr(wanted, "path", None) == item.path
        if stays:
            assert after[key] == item
            assert found.held[key].reason == "BackingReplaced"
        else:
            assert after.get(key) == wanted
    touched = {lio_objects.key_of(step.item) for step in found.steps if step.action is not Action.DELETE}
    assert not touched & {key for key, failure in found.held.items() if failure.reason == "BackingReplaced"}
