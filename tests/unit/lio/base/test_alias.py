"""The alias file: the marks of a storage object in the kernel."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.attributes import STORAGE
from lunmapd.lio.base.alias import Alias, OpenedBacking, merge_aliases, parse_alias, show_alias

_IBLOCK = sorted(name for plugin, name in STORAGE if plugin == "iblock")
_NUMBERS = st.from_regex(r"[0-9]{1,10}:[0-9]{1,20}", fullmatch=True)
_OPENED = st.builds(
    OpenedBacking,
    file=_NUMBERS | st.just(""),
    device=_NUMBERS | st.just(""),
    disk=st.integers(1, 1 << 64).map(str) | st.just(""),
    identity=st.from_regex(r"(dm|wwid|serial):[0-9a-f]{16}", fullmatch=True) | st.just(""),
    size=st.integers(0, 1 << 63),
)
_ALIASES = st.builds(
    Alias,
    attributes=st.sets(st.sampled_from(_IBLOCK)).map(lambda names: tuple(sorted(names))),
    vendor=st.booleans(),
    product=st.booleans(),
    alua=st.booleans(),
    adopted=st.booleans(),
    opened=_OPENED,
)


@given(_ALIASES)
def test_a_text_says_what_it_was_made_of(alias: Alias) -> None:
    """Every alias fits into the file, and is read back as it was."""
    assert parse_alias("iblock", show_alias(alias)) == alias


@given(_ALIASES, _ALIASES)
def test_a_merge_keeps_the_opened_backing(one: Alias, other: Alias) -> None:
    """While attributes change, the record of what was opened stays."""
    assert merge_aliases(one, other).opened == one.opened


def test_a_size_that_is_no_number_is_none() -> None:
    """A text that somebody changed is no error."""
    assert parse_alias("iblock", "lunmapd size=many disk=3 x=").opened == OpenedBacking(disk="3")
    assert parse_alias("iblock", "size=3") == Alias()
