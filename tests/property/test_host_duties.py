"""What hosts have to do depends only on the Luns that a commit changes, and on one of each other kind."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.forecast.reduce import reduce_maps
from lunmapd.service.ctl.text.hosts.host_lines import host_duties
from support.strategies import lunmaps


@given(lunmaps(), lunmaps(), st.sets(st.sampled_from(list(SECTIONS))))
def test_unchanged_luns_ask_nothing_of_hosts(before: Lunmap, other: Lunmap, changed: set[Section]) -> None:
    """The reduced maps have the duties of the whole maps."""
    after = replace(before, **{each: {**before.section(each), **other.section(each)} for each in changed})
    assert host_duties(*reduce_maps(before, after)) == host_duties(before, after)
    assert host_duties(*reduce_maps(after, before)) == host_duties(after, before)
