"""The laws of documents, files, changes and digests."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import SECTIONS, Lun, Lunmap
from lunmapd.core.base.names import naa, parse_portal
from lunmapd.core.history.changes import diff_maps, patch_map, patch_map_digest
from lunmapd.core.map.mapfile import parse_map, parse_size, show_map, show_size
from support.digests import map_digest
from support.strategies import lunmaps


@given(lunmaps())
def test_documents_survive_their_bytes(lunmap: Lunmap) -> None:
    """Decoding the canonical bytes of any object gives the object back."""
    for section, _, document in lunmap.documents():
        assert decode(encode(document), SECTIONS[section]) == document


@given(lunmaps())
def test_files_survive_printing(lunmap: Lunmap) -> None:
    """Reading the printed YAML of any map gives the map back."""
    assert parse_map(show_map(lunmap))[0] == lunmap


@given(st.binary())
def test_garbage_bytes_raise_only_the_codecs_error(data: bytes) -> None:
    """Any bytes either decode or raise DocumentError."""
    try:
        decode(data, Lun)
    except DocumentError as error:
        assert str(error)


@given(st.text())
def test_garbage_text_raises_only_the_maps_error(text: str) -> None:
    """Any text either reads as a map or raises InvalidInputError with a place for each problem."""
    try:
        parse_map(text)
    except InvalidInputError as error:
        assert error.problems


YAML = st.recursive(
    st.sampled_from(
        ["1", "x", "on", "~", "2026-01-01", "!!binary aGk=", "!odd x", "[]", "{}", "1e999", "0x1F", "&a *a"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(
            st.sampled_from(["luns", "nodes", "size", "portals", "maps", "a"]), inner, max_size=3
        ).map(lambda items: "{" + ", ".join(f"{name}: {value}" for name, value in items.items()) + "}")
    ),
    max_leaves=8,
)


@given(YAML)
def test_odd_yaml_raises_only_the_maps_error(text: str) -> None:
    """YAML of any shape either reads as a map or raises InvalidInputError."""
    try:
        parse_map(text)
    except InvalidInputError as error:
        assert error.problems


@given(lunmaps(), lunmaps())
def test_a_difference_leads_from_one_to_the_other(before: Lunmap, after: Lunmap) -> None:
    """Patching with the difference gives the other map, and the digest kept along the way is its digest."""
    changes = diff_maps(before, after)
    assert patch_map(before, changes) == after
    assert patch_map_digest(map_digest(before), changes) == map_digest(after)


@given(lunmaps())
def test_no_difference_to_itself(lunmap: Lunmap) -> None:
    """A map differs from itself in nothing, so a second apply makes no revision."""
    assert diff_maps(lunmap, lunmap) == ()


@given(st.integers(1, 1 << 60))
def test_sizes_survive_printing(size: int) -> None:
    """Reading a printed size gives the size back."""
    assert parse_size(show_size(size)) == size


@given(
    st.ip_addresses()
    .filter(
        lambda ip: (
            not ip.is_unspecified
            and not ip.is_multicast
            and not (ip.version == 6 and (ip.is_link_local or ip.ipv4_mapped is not None))
        )
    )
    .map(lambda ip: str(ip) if ip.version == 4 else f"[{ip}]"),
    st.integers(1, 65535),
)
def test_portals_have_one_spelling(address: str, port: int) -> None:
    """The normal form of a portal is its own normal form."""
    portal = parse_portal(f"{address}:{port}")
    assert parse_portal(portal) == portal


@given(st.uuids().map(str))
def test_an_naa_is_32_digits_of_the_serials_first_25(serial: str) -> None:
    """The NAA holds 6, LIO's company id and the first 25 hex digits of the serial."""
    assert naa(serial) == "6001405" + serial.replace("-", "")[:25]
