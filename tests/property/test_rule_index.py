"""Checking a change of a map finds what checking the whole map finds."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    AluaState,
    Authentication,
    Chap,
    Document,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.core.base.sections import Section
from lunmapd.core.history.map_change import compare_objects
from lunmapd.core.map import rules
from lunmapd.core.map.rule_index import RuleIndex
from lunmapd.store.commit.commit_options import commit_rules
from lunmapd.store.commit.kept_rules import KeptRules
from support.strategies import GROUPS, INITIATORS, LUNS, NODES, TARGETS, lunmaps

_CHAP = Chap("user", f"v1:{'0' * 8}:{'A' * 38}")
_PATHS = ("/dev/vg/db1-0", "/dev/vg/db2-0", "/dev/other/db1-0", "/dev/n2/db1", "/dev/x")
_PORTALS = ("10.0.0.1:3260", "10.0.0.2:3260", "0.0.0.0:3260", "[fd00::1]:3260", "[::]:3260")
_NAMES: dict[Section, tuple[str, ...]] = {
    "luns": (*LUNS, "new"),
    "targets": (*TARGETS, "iqn.2026-01.org.example:c"),
    "initiators": INITIATORS,
    "groups": (*GROUPS, "more"),
    "nodes": (*NODES, "n4"),
}
_SECTIONS: tuple[Section, ...] = ("luns", "luns", "targets", "initiators", "groups", "nodes", "nodes")
_MAPS = st.one_of(
    st.builds(Map, st.sampled_from(_NAMES["targets"]), st.integers(0, 2), st.sampled_from(INITIATORS)),
    st.builds(
        lambda target, lun, group: Map(target, lun, group=group),
        st.sampled_from(_NAMES["targets"]),
        st.integers(0, 2),
        st.sampled_from(_NAMES["groups"]),
    ),
)
_FEW_NODES = st.lists(st.sampled_from(_NAMES["nodes"]), unique=True, max_size=3)
_FEW_PORTALS = st.lists(st.sampled_from(_PORTALS), unique=True, max_size=2).map(tuple)
_DOCUMENTS: dict[Section, st.SearchStrategy[Document]] = {
    "luns": st.builds(
        Lun,
        st.builds(
            Block,
            st.sampled_from(_PATHS),
            st.dictionaries(st.sampled_from(NODES), st.sampled_from(_PATHS), max_size=1),
        ),
        serial=st.sampled_from(("00" + "5" * 30, "7" * 32, "8" * 32, "bad")),
        nodes=st.one_of(st.just(()), _FEW_NODES.map(tuple)),
        preferred=st.sampled_from(("", *NODES, NODES[:2])),
        others=st.sampled_from((AluaState.NON_OPTIMIZED, AluaState.STANDBY)),
        hook=st.sampled_from(("", "", "drbd", "zfs")),
        shared=st.just(Shared(Scope.OFF, Scope.OFF)),
        maps=st.lists(_MAPS, max_size=2).map(tuple),
    ),
    "targets": st.builds(
        Target,
        st.dictionaries(
            st.sampled_from(_NAMES["nodes"]),
            st.builds(PortalGroup, st.integers(0, 12), st.one_of(st.just(()), _FEW_PORTALS)),
            max_size=3,
        ),
        authentication=st.sampled_from(Authentication),
    ),
    "initiators": st.builds(
        Initiator,
        chap=st.sampled_from((None, _CHAP)),
        mutual_chap=st.sampled_from((None, _CHAP)),
        probe=st.booleans(),
    ),
    "groups": st.builds(Group, st.lists(st.sampled_from(INITIATORS), unique=True).map(tuple)),
    "nodes": st.builds(
        Node,
        st.integers(0, 4),
        _FEW_PORTALS,
        _FEW_PORTALS,
        devices=st.sampled_from(({}, {"/dev/vg": "/dev/other"}, {"/dev/vg": "/"})),
    ),
}


@st.composite
def _edits(draw: st.DrawFn, lunmap: Lunmap, other: Lunmap) -> Lunmap:
    """Draw a changed map: of some objects a field, or the whole document, is another, or they are removed."""
    for section in draw(st.lists(st.sampled_from(_SECTIONS), min_size=1, max_size=2)):
        documents = dict(lunmap.section(section))
        name = draw(st.sampled_from(_NAMES[section]))
        was, wild = documents.pop(name, None), draw(_DOCUMENTS[section])
        field = draw(st.sampled_from(type(wild).__struct_fields__))
        changed = wild if was is None else replace(was, **{field: getattr(wild, field)})
        document = draw(st.sampled_from((changed, changed, changed, other.section(section).get(name), None)))
        if document is not None:
            documents[name] = document
        lunmap = replace(lunmap, **{section: documents})
    return lunmap


@given(st.data(), lunmaps(), lunmaps())
def test_a_change_is_judged_as_the_whole_map(data: st.DataObject, lunmap: Lunmap, other: Lunmap) -> None:
    """The problems are those of `check_map`; the index of a new map without any is one made anew."""
    index = RuleIndex(lunmap)
    for _ in range(3):
        after = data.draw(_edits(index.lunmap, other))
        changed = compare_objects(index.lunmap, after).objects
        whole = rules.check_map(after)
        assert index.check(after, changed) == whole
        # A part with a problem that the map does not have would cost the check of the whole map.
        assert bool(rules.check_map(index._part(after, changed))) == bool(whole)
        if not whole:
            index.advance(after, changed)
            assert vars(index) == vars(RuleIndex(after))


@given(st.data(), lunmaps(), lunmaps())
def test_commits_one_after_the_other_keep_all_rules(
    data: st.DataObject, lunmap: Lunmap, other: Lunmap
) -> None:
    """The problems of a commit are those of the whole map, whatever the earlier commits of a client were."""
    check = commit_rules(kept=KeptRules())
    for _ in range(4):
        after = data.draw(st.one_of(_edits(lunmap, other), st.just(lunmap)))
        whole = (*rules.check_map(after), *rules.check_changes(lunmap, after))
        assert check(compare_objects(lunmap, after)) == whole
        lunmap = after
