"""The enablement of floating portal groups: by leases alone."""

from lunmapd.core.base.lunmap import TpgId
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desired_delta import Delta, DesiredView
from lunmapd.core.node.leases import is_unowned, with_leases, without_unowned
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.project import PORT_ID, project_map
from lunmapd.core.secrets.sealing import Vault
from support.floating_map import FLOATING, MIXED, TPG, T

KEY: lio_objects.Key = ("enabled", T, 1001)
NONE = frozenset[TpgId]()


def test_a_group_is_enabled_where_a_lease_owns_it() -> None:
    """Nothing else is left out: a node that becomes the owner only has to enable the TPG."""
    whole = project_map(MIXED, "n1")
    assert without_unowned(whole, {TPG}) == whole
    assert whole.keys() - without_unowned(whole, {TpgId(T, 1002)}).keys() == {KEY}


def test_what_is_enabled_without_a_lease_is_recognised() -> None:
    """It is that of a floating group or a remote TPG, not that of a TPG which the map enables."""
    item = lio_objects.Enabled(T, 1001, 0)
    whole = project_map(MIXED, "n1")
    unowned = without_unowned(whole, NONE)
    assert is_unowned(item, unowned)
    assert not is_unowned(item, whole)
    assert not is_unowned(item, {})
    assert is_unowned(lio_objects.Enabled(T, 3, 0), unowned)
    without_own = {key: each for key, each in unowned.items() if key != ("enabled", T, 1)}
    assert not is_unowned(lio_objects.Enabled(T, 1, 0), without_own)
    assert not is_unowned(lio_objects.Target(T), unowned)


def delta(before: frozenset[TpgId], after: frozenset[TpgId], foreign: frozenset[str] = frozenset()) -> Delta:
    """Return the delta of a change of leases alone."""
    observed = Observed(features={PORT_ID}, foreign=foreign)
    view = DesiredView(FLOATING, "n1", Vault(""), foreign, project_map(FLOATING, "n1"))
    found = view.delta_to(FLOATING)
    assert isinstance(found, Delta)
    return with_leases(found, "n1", observed, before, after)


def test_a_lease_concerns_one_object() -> None:
    """Taking a group enables its TPG, losing it disables it; no other object is looked at."""
    owned = frozenset({TPG})
    taken, lost = delta(NONE, owned), delta(owned, NONE)
    assert (taken.keys, taken.desired) == ({KEY}, {KEY: lio_objects.Enabled(T, 1001, 77)})
    assert (lost.keys, lost.desired) == ({KEY}, {})
    assert (taken.owned, lost.owned) == (owned, NONE)
    assert delta(owned, owned).keys == delta(NONE, NONE).keys == set()


def test_leases_of_other_tpgs_concern_nothing() -> None:
    """A TPG that is no group of this node by the map, or that another tool made, is left alone."""
    other = frozenset({TpgId(T, 1002), TpgId("iqn.2026-01.org.example:gone", 1)})
    assert delta(NONE, other).keys == set()
    assert delta(NONE, frozenset({TPG}), frozenset({T})).keys == set()
