"""An Overlay is a dictionary that leaves its base as it is."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.node.overlay import Overlay

KEYS = st.integers(0, 6)
CONTENT = st.dictionaries(KEYS, st.text(max_size=1))
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.text(max_size=1)))


def _change(mapping: Overlay[int, str] | dict[int, str], changes: list[tuple[int, str | None]]) -> None:
    for key, value in changes:
        if value is None:
            mapping.pop(key, None)
        else:
            mapping[key] = value


def _is_same(overlay: Overlay[int, str], expected: dict[int, str]) -> bool:
    keys = range(7)
    return (
        dict(overlay.items()) == dict(overlay) == expected
        and len(overlay) == len(expected)
        and sorted(overlay.values()) == sorted(expected.values())
        and overlay.keys() == expected.keys()
        and [overlay.get(key) for key in keys] == [expected.get(key) for key in keys]
        and [key in overlay for key in keys] == [key in expected for key in keys]
    )


@given(CONTENT, CHANGES, CHANGES)
def test_an_overlay_is_as_a_dictionary(
    content: dict[int, str], changes: list[tuple[int, str | None]], later: list[tuple[int, str | None]]
) -> None:
    """After any changes it has what a dictionary has; a further Overlay starts as it is, and is separate."""
    before, expected = dict(content), dict(content)
    overlay = Overlay(content)
    _change(overlay, changes)
    _change(expected, changes)
    assert _is_same(overlay, expected)
    second, expected_second = Overlay(overlay), dict(expected)
    _change(second, later)
    _change(expected_second, later)
    assert _is_same(second, expected_second)
    assert _is_same(overlay, expected)
    assert content == before
