"""Laws of the conversion of other tools' files."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.conversion.conversion import Choices, SourceText
from lunmapd.core.conversion.formats import SourceFormat, convert_files, open_problems
from support.foreign_files import CIB, CRM, H1, PCS, REACTOR, ceph_document
from support.saveconfigs import HOST, A, acl, saved, target

CHOICES = Choices(initiators=(H1,))
TEXTS = {
    "cib": (SourceFormat.PACEMAKER, CIB),
    "crm": (SourceFormat.PACEMAKER, CRM),
    "pcs": (SourceFormat.PACEMAKER, PCS),
    "reactor": (SourceFormat.LINSTOR_GATEWAY, REACTOR),
}
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", "'", 0, -1, 1 << 70, 1.5, True, [], ["x"], {}, {"a": {}}, "\x00", "é" * 300]
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of all values inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(each for key, item in inner for each in places(item, (*place, key)))]


def changed(document: dict[str, Any], choose: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a document with one value replaced or removed."""
    place = choose(st.sampled_from(places(document)[1:]))
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and choose(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = deepcopy(choose(ODD))
    return document


def convert(given_format: SourceFormat, text: str) -> None:
    """Convert a text, and check the rules of the result; an error must be one for the admin."""
    try:
        joined = convert_files([SourceText("file", text)], CHOICES, given_format)
    except LunmapdError as error:
        assert str(error)
    else:
        open_problems(joined.conversion.lunmap)


@given(st.data(), st.integers(1, 11))
@settings(deadline=None)
def test_no_gateway_conf_is_a_crash(data: st.DataObject, version: int) -> None:
    """A document with any wrong or missing value is converted, or refused with a sentence."""
    document = ceph_document(version)
    for _ in range(data.draw(st.integers(1, 3))):
        document = changed(document, data.draw)
    convert(SourceFormat.CEPH_ISCSI, msgspec.json.encode(document).decode())


@pytest.mark.parametrize("name", TEXTS)
@given(data=st.data())
@settings(deadline=None)
def test_no_text_of_a_cluster_is_a_crash(name: str, data: st.DataObject) -> None:
    """A text from which a part is cut, or into which letters are put, is converted or refused."""
    given_format, text = TEXTS[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    put = data.draw(st.text(alphabet="\\\"'=:<>/ \n\t$#a1\x00é[]", max_size=4))
    convert(given_format, text[:start] + put + text[end:])


@given(st.data())
@settings(deadline=None)
def test_no_saved_file_is_a_crash(data: st.DataObject) -> None:
    """A saveconfig.json with any wrong or missing value is converted, or refused with a sentence."""
    document = saved(target(A, {1: "block/db1", 2: "fileio/logs"}, acl(HOST, (1, 1), (2, 2))))
    for _ in range(data.draw(st.integers(1, 3))):
        document = changed(document, data.draw)
    convert(SourceFormat.SAVECONFIG, msgspec.json.encode(document).decode())
