"""A partial pass has the same result as a full pass, for any two maps."""

from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.desired_delta import Delta, DesiredView
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.plan import objects_after, plan
from lunmapd.core.secrets.sealing import Vault
from support.strategies import NODES, lunmaps

VAULT = Vault("cluster")


def wanted(lunmap: Lunmap, node: str) -> lio_objects.DesiredObjects:
    """Return the desired objects of a full pass."""
    return compute_desired(lunmap, {}, node, Observed(features={PORT_ID}), VAULT).objects


@st.composite
def edited(draw: st.DrawFn) -> tuple[Lunmap, Lunmap]:
    """Draw a map, and another one with the same targets, groups and nodes that may have any of its Luns."""
    after = draw(lunmaps())
    luns = st.sets(st.sampled_from(sorted(after.luns))) if after.luns else st.just(set())
    few, changed = draw(luns), draw(luns)
    before = {
        # A node that the Lun names must serve what is left of its maps: a view stands on no map that breaks a
        # rule.
        name: replace(lun, maps=lun.maps[1:]) if name in changed and not (lun.nodes or lun.preferred) else lun
        for name, lun in after.luns.items()
        if name not in few
    }
    first = replace(after, luns=before)
    return (first, after) if draw(st.booleans()) else (after, first)


@given(edited(), st.sampled_from(NODES))
def test_following_a_change_is_as_good_as_looking_at_everything(
    maps: tuple[Lunmap, Lunmap], node: str
) -> None:
    """After the change the desired objects, and the kernel after its steps, are those of a full pass."""
    before, after = maps
    view = DesiredView(before, node, VAULT, frozenset(), wanted(before, node))
    part = view.delta_to(after)
    event("followed" if isinstance(part, Delta) else "left to a full pass")
    assert view.desired == wanted(before, node)
    if not isinstance(part, Delta):
        return
    view.advance(part)
    assert view.desired == wanted(after, node)
    kernel = wanted(before, node)
    concerned = {name: item for name, item in kernel.items() if name in part.keys}
    assert objects_after(kernel, plan(part.desired, concerned)) == wanted(after, node)


@given(lunmaps(), lunmaps(), st.sampled_from(NODES))
def test_any_other_map_is_followed_rightly_or_not_at_all(before: Lunmap, after: Lunmap, node: str) -> None:
    """A map unrelated to the one before needs a full pass, unless the delta is known."""
    view = DesiredView(before, node, VAULT, frozenset(), wanted(before, node))
    part = view.delta_to(after)
    if isinstance(part, Delta):
        view.advance(part)
    assert view.desired == wanted(after if isinstance(part, Delta) else before, node)
