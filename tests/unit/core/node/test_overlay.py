"""A mapping that shares its entries until they change."""

import pytest

from lunmapd.core.node.overlay import Overlay


def test_a_missing_entry_is_missing() -> None:
    """An entry that was deleted, or never was there, is neither read nor deleted again."""
    overlay = Overlay({"a": 1})
    del overlay["a"]
    for key in ("a", "b"):
        with pytest.raises(KeyError):
            overlay[key]
        with pytest.raises(KeyError):
            del overlay[key]


def test_many_changes_make_a_new_base() -> None:
    """All entries stay as they are when the changes have become too many, and the old base as it was."""
    base = {number: number for number in range(10)}
    overlay = Overlay(base)
    for number in range(2000):
        overlay[number] = -number
    del overlay[0]
    assert dict(overlay) == {number: -number for number in range(1, 2000)}
    assert len(overlay) == 1999
    assert base == {number: number for number in range(10)}
