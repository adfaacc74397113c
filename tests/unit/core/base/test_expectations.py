"""Sentences about values of another type: choices are named, and no text that may be a password is shown."""

from typing import Any

import pytest

from lunmapd.core.base.backings import Backing
from lunmapd.core.base.lunmap import Access, Chap, Group
from lunmapd.core.base.plain_values import read_values


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ("readonly", Access, "'readonly' is none of rw, ro"),
        ("RO", Access, "'RO' is none of rw, ro; did you mean 'ro'?"),
        (["ro"], Access, "expected one of rw, ro, got a list"),
        ("yes", int, "expected a whole number, got 'yes'"),
        ("maybe", bool | None, "expected true or false, got 'maybe'"),
        (None, int, "expected a whole number, got nothing"),
        ({}, float, "expected a number, got a mapping"),
        ("a", Group, "expected a mapping, got text"),
        ("my password", Chap, "expected a mapping with user, got text"),
        ("7", Backing, "expected a mapping with 'type' (block, fileio, ramdisk, pscsi, user), got text"),
        (
            {"type": "blok"},
            Backing,
            "'blok' is none of block, fileio, ramdisk, pscsi, user; did you mean 'block'?",
        ),
        ({"type": []}, Backing, "a list is none of block, fileio, ramdisk, pscsi, user"),
        ({}, Backing, "missing required field 'type' (block, fileio, ramdisk, pscsi, user)"),
        (["a"], str | Group, "expected text or a mapping, got a list"),
        (3, str, "expected text, got a number"),
        ("007", int, "expected a whole number, got '007'"),
        ("9" * 5000, int, "integer value out of range"),
    ],
)
def test_each_sentence_has_what_is_expected(value: object, kind: Any, sentence: str) -> None:
    """In the words of a file, with the choices of an enum or of a kind of backing."""
    assert [problem.message for problem in read_values(value, kind)[1]] == [sentence]
