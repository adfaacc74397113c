"""Plain values as structs, with every problem at once."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct

from lunmapd.core.base.backings import Backing, Block, FileIO
from lunmapd.core.base.lunmap import AluaState, Lun, Target
from lunmapd.core.base.plain_values import read_values, related


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    """One level down."""

    address: str
    weights: Mapping[str, float] = {}


class Outer(Struct, frozen=True, forbid_unknown_fields=True):
    """A struct to be read."""

    inner: Inner
    state: AluaState
    hosts: tuple[Inner, ...] = ()
    words: Inner | str = "none"
    maybe: Inner | None = None
    table: Mapping[str, int] = {}


GOOD = {"inner": {"address": "a"}, "state": "standby"}


def told(value: object, kind: Any) -> list[str]:
    """Return the problems as place and message."""
    return [
        f"{'.'.join(map(str, problem.place))}: {problem.message}" for problem in read_values(value, kind)[1]
    ]


def test_good_values_are_read() -> None:
    """Structs, tuples, mappings, unions and None; numbers may be text."""
    value = GOOD | {"hosts": [{"address": "b"}], "words": "x", "maybe": None, "table": {"a": "1"}}
    assert read_values(value, Outer) == (
        Outer(Inner("a"), AluaState.STANDBY, (Inner("b"),), "x", None, {"a": 1}),
        [],
    )


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, [": missing required field 'inner'", ": missing required field 'state'"]),
        (3, [": expected a mapping with inner, state, got a number"]),
        (GOOD | {"inner": None}, ["inner: expected a mapping with address, got nothing"]),
        (GOOD | {"tabel": {}}, ["tabel: unknown field; did you mean 'table'?"]),
        (GOOD | {"adress": "a"}, ["adress: unknown field; did you mean 'inner.address'?"]),
        (GOOD | {"zzz": "a"}, ["zzz: unknown field"]),
        (GOOD | {"table": {"a": "x", "b": [], "c": 1}}, ["table.a: expected a whole number, got 'x'", "table.b: expected a whole number, got a list"]),
        (GOOD | {"table": []}, ["table: expected a mapping, got a list"]),
        (GOOD | {"hosts": [{}, {"address": 1}]}, ["hosts.0: missing required field 'address'", "hosts.1.address: expected text, got a number"]),
        (GOOD | {"hosts": "a"}, ["hosts: expected a list, got text"]),
        (GOOD | {"words": {"addres": "a"}}, ["words.addres: unknown field; did you mean 'address'?"]),
        (GOOD | {"maybe": {"weights": {"a": "x"}}}, ["maybe.weights.a: expected a number, got 'x'", "maybe: missing required field 'address'"]),
        ({"inner": GOOD["inner"], "state": "stanby"}, ["state: 'stanby' is none of optimized, non-optimized, standby, unavailable; did you mean 'standby'?"]),
    ],
)  # fmt: skip
def test_each_problem_has_its_place(value: object, problems: list[str]) -> None:
    """Each bad value, unknown key and missing key is one problem; a misspelt key is reported once."""
    assert sorted(told(value, Outer)) == sorted(problems)


def test_a_kind_of_several_is_chosen_by_its_tag() -> None:
    """The fields are those of the kind that the tag names; without a known one only the tag is refused."""
    assert read_values({"type": "fileio", "path": "/a"}, Backing) == (FileIO("/a"), [])
    assert told({"type": "block", "pth": "/a", "overrides": {"n": 1}}, Backing) == [
        "pth: unknown field; did you mean 'path'?",
        "overrides.n: expected text, got a number",
    ]
    assert told({"type": "tape", "x": 1}, Backing) == [
        "type: 'tape' is none of block, fileio, ramdisk, pscsi, user"
    ]
    assert told({"path": "/a"}, Backing) == [
        ": missing required field 'type' (block, fileio, ramdisk, pscsi, user)"
    ]


def test_what_is_bad_is_replaced() -> None:
    """By the default, or by something empty of its type, so that the rest can be judged."""
    lun, _ = read_values({"backing": 7, "size": "x", "product": "p"}, Lun)
    assert lun == Lun(Block(""), product="p")
    assert read_values({"nodes": 1, "alias": "a"}, Target)[0] == Target({}, alias="a")


def test_places_are_related_when_one_holds_the_other() -> None:
    """Siblings are not."""
    assert related(("a", "b"), ("a",))
    assert related(("a",), ("a", "b"))
    assert not related(("a", "b"), ("a", "c"))
