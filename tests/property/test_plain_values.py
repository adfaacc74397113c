"""The decoder that collects problems agrees with msgspec's, which stops at the first."""

from copy import deepcopy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.documents import DocumentError, convert
from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.core.base.plain_values import read_values, related
from lunmapd.core.base.sections import Section
from support.strategies import lunmaps

ODD: tuple[Any, ...] = (None, "", "x", "1", 7, [], [[]], {}, {"type": "block"}, {"x": {}}, [None], True)


def containers(value: Any) -> list[Any]:
    """Return the lists and mappings in plain values, the value itself first."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(one for item in inner if isinstance(item, dict | list) for one in containers(item))]


@st.composite
def documents(draw: st.DrawFn) -> tuple[Section, Any]:
    """Draw the plain values of an object of a map, with up to three places replaced."""
    section, _, document = draw(st.sampled_from(list(draw(lunmaps()).documents())))
    plain: Any = msgspec.to_builtins(document)
    for _ in range(draw(st.integers(0, 3))):
        inside: Any = draw(st.sampled_from(containers(plain)))
        keys: list[Any] = sorted(inside) if isinstance(inside, dict) else list(range(len(inside)))
        names = [*keys, "sise", "type"] if isinstance(inside, dict) else keys
        if names:
            inside[draw(st.sampled_from(names))] = deepcopy(draw(st.sampled_from(ODD)))
        if draw(st.booleans()) and isinstance(inside, dict) and keys:
            inside.pop(draw(st.sampled_from(keys)))
    return section, plain


@given(documents())
def test_it_accepts_what_msgspec_accepts(drawn: tuple[Section, Any]) -> None:
    """It accepts the same values as msgspec with the same result; one problem has msgspec's place."""
    section, plain = drawn
    value, problems = read_values(plain, SECTIONS[section])
    try:
        expected = convert(plain, SECTIONS[section])
    except DocumentError as error:
        assert any(related(problem.place, error.place[:1]) for problem in problems)
        assert all(problem.message for problem in problems)
    else:
        assert (value, problems) == (expected, [])
