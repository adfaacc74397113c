"""The description of a changed object: its fields, never its secrets."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, Raw

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Change
from lunmapd.core.history.fields import (
    ChangeKind,
    FieldChange,
    changed_field_names,
    changed_fields,
    differences,
)


def change(before: Any, after: Any) -> Change:
    """Make the change of one object; None where it is not there."""
    return Change("luns/a", *(UNSET if value is None else Raw(encode(value)) for value in (before, after)))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"size": 1}, {"size": 2}, [FieldChange("size", 1, 2)]),
        ({}, {"size": 2}, [FieldChange("size", after=2)]),
        (None, {"alias": "x"}, [FieldChange("alias", after="x")]),
        ({"alias": "x"}, None, [FieldChange("alias", "x")]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [FieldChange("a.b.c", 1, 2)]),
        ({"nodes": {"n-1": {"id": 1}}}, {"nodes": {"n-1": {"id": 2}}}, [FieldChange("nodes[n-1].id", 1, 2)]),
        ({"l": [1, 2]}, {"l": [2, 3]}, [FieldChange("l", before=1), FieldChange("l", after=3)]),
        ({"l": [1, 2]}, {"l": [2, 1]}, [FieldChange("l", [1, 2], [2, 1])]),
        ({"l": [1, 1]}, {"l": [1]}, [FieldChange("l", [1, 1], [1])]),
        ({"same": 1}, {"same": 1}, []),
    ],
)
def test_fields_are_compared(before: Any, after: Any, expected: list[FieldChange]) -> None:
    """Each field that differs is named with both values, elements of lists one by one."""
    assert list(changed_fields(change(before, after))) == expected


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"chap": {"user": "u", "password": "sealed-1"}}, {"chap": {"user": "u", "password": "sealed-2"}}),
        ({}, {"chap": {"user": "u", "password": "sealed-2"}}),
        ({"chap": {"user": "u", "password": "sealed-1"}}, None),
        ({"l": [{"password": "sealed-1"}]}, {"l": [{"password": ["sealed-2"]}]}),
    ],
)
def test_passwords_are_not_shown(before: Any, after: Any) -> None:
    """A changed password is shown as changed, but neither value, in any place."""
    text = msgspec.json.encode(changed_fields(change(before, after)))
    assert b"sealed" not in text
    assert b"(secret)" in text


def test_top_fields_are_named() -> None:
    """In short an object's change is the names of its topmost fields."""
    assert changed_field_names(change({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 1, "d": 0})) == ("a", "d")


def test_what_is_no_document_has_no_fields() -> None:
    """A state that can't be decoded counts as one without fields."""
    broken = Change("luns/a", Raw(b"garbage"), Raw(b'{"size":1}'))
    assert changed_fields(broken) == (FieldChange("size", after=1),)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [(None, {}, ChangeKind.ADDED), ({}, None, ChangeKind.REMOVED), ({"a": 1}, {"a": 2}, ChangeKind.CHANGED)],
)
def test_a_difference_says_what_became_of_the_object(before: Any, after: Any, kind: ChangeKind) -> None:
    """An object was added, removed or changed, and its changed fields are listed."""
    (found,) = differences([change(before, after)])
    assert (found.path, found.kind) == ("luns/a", kind)
    assert found.fields == changed_fields(change(before, after))


@pytest.mark.parametrize(
    ("change", "text", "top"),
    [
        (FieldChange("size", 1, 2), "size: 1 -> 2", "size"),
        (FieldChange("maps", after={"lun": 1}), 'maps: + {"lun":1}', "maps"),
        (FieldChange("labels[a/b]", before="x"), 'labels[a/b]: - "x"', "labels"),
        (FieldChange("attributes.is_nonrot", 0, 1), "attributes.is_nonrot: 0 -> 1", "attributes"),
    ],
)
def test_a_change_is_one_line(change: FieldChange, text: str, top: str) -> None:
    """With its field and both values, and it belongs to a top-level field."""
    assert (str(change), change.top_field) == (text, top)
