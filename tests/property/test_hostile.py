"""Any out-of-band edit is handled by the rules and by a node's pass."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.attributes import PARAMETERS, STORAGE
from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.lunmap import EMPTY_MAP, SECTIONS, Document, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.lun_paths import find_lun_paths
from lunmapd.core.fleet.path_problems import find_path_problems
from lunmapd.core.history.changes import build_map
from lunmapd.core.map import rules
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import compute_desired
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Login, Observed
from lunmapd.core.planning.impact import AccessPaths, Audience
from lunmapd.core.planning.plan import plan
from lunmapd.core.secrets.sealing import Vault
from support.strategies import INITIATORS, NODES, TARGETS, lunmaps

LOGINS = {name: {Login(iqn, host) for iqn in TARGETS for host in INITIATORS} for name in NODES}
VAULT = Vault("cluster")
TEXTS = (
    "", " ", "\0", "\n", "a\0b", "/", "9" * 5000, "-1", "01", "1.5", "x" * 5000, "\u0663", "\uffff", "\U0001f600",
    "[", "[]", "[]:", ":", "[::1]:" + "1" * 5000, "1.2.3.4:" + "9" * 5000, "[fe80::1%eth0]:3260", "1.2.3.4:1:2", "::%",
    "0.0.0.0:3260", "v1:x:y", "v1:00000000:" + "A" * 5000, "iqn.2026-01.org.example:" + "a" * 5000, "/dev/" + "a/" * 3000,
)  # fmt: skip
NUMBERS = (0, -1, 1 << 16, 1 << 63, 1 << 64, -(1 << 64), 512 << 70, int("9" * 4300), -int("9" * 4300))


SOME = st.sampled_from(TEXTS)
CHAP = st.fixed_dictionaries({"user": SOME, "password": SOME})
SPOILT: dict[Section, st.SearchStrategy[dict[str, Any]]] = {
    "luns": st.fixed_dictionaries(
        {},
        optional={
            "attributes": st.dictionaries(
                st.sampled_from(sorted(name for _, name in STORAGE)), st.sampled_from(NUMBERS)
            )
        },
    ),
    "targets": st.fixed_dictionaries(
        {}, optional={"parameters": st.dictionaries(st.sampled_from(sorted(PARAMETERS)), SOME)}
    ),
    "initiators": st.fixed_dictionaries({}, optional={"chap": CHAP, "mutual_chap": CHAP}),
    "nodes": st.fixed_dictionaries({}, optional={"discovery": st.fixed_dictionaries({"chap": CHAP})}),
}
"""What may stand in documents besides, by section."""


def sessions(objects: lio_objects.DesiredObjects) -> Iterator[IscsiSession]:
    """Log in every initiator that may."""
    for item in objects.values():
        if isinstance(item, lio_objects.NodeAcl):
            yield IscsiSession(item.iqn, item.tag, item.initiator, LOGGED_IN)


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of the texts and numbers in plain values."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*place, index))
    else:
        yield place


def spoil(draw: st.DrawFn, value: Any, places: list[tuple[str | int, ...]]) -> None:
    """Put something else at some places of plain values: another value, or another name for it."""
    for *way, last in places:
        inner = value
        for step in way:
            inner = inner[step]
        old = inner.pop(last) if isinstance(last, str) else inner[last]
        name = draw(st.sampled_from((last, last, *TEXTS))) if isinstance(last, str) and way else last
        inner[name] = draw(st.sampled_from(NUMBERS if isinstance(old, int) else TEXTS) | st.text(max_size=4))


@st.composite
def documents(draw: st.DrawFn) -> tuple[Lunmap, dict[str, str]]:
    """Draw documents that a node reads: any decodable values of a map, and undecodable bytes."""
    good = draw(lunmaps())
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    unreadable: dict[str, str] = {}
    for section, name, document in good.documents():
        plain = msgspec.to_builtins(document)
        plain |= draw(SPOILT.get(section, st.just({})))
        places = sorted(leaves(plain), key=str)
        spoil(draw, plain, draw(st.lists(st.sampled_from(places), max_size=2, unique=True)) if places else [])
        called = draw(st.sampled_from((name, name, name, *TEXTS)))
        try:
            sections[section][called] = decode(
                msgspec.json.encode(plain), SECTIONS[section], (section, called)
            )
        except DocumentError as error:
            unreadable[f"{section}/{called}"] = str(error)
    return build_map(sections), unreadable


@given(documents(), lunmaps(), st.sampled_from(NODES))
def test_no_document_ends_a_pass(read: tuple[Lunmap, dict[str, str]], before: Lunmap, node: str) -> None:
    """The rules accept any decodable document, and a node plans for the rest, from any map before."""
    lunmap, unreadable = read
    for found in (rules.check_map(lunmap), rules.check_served(lunmap), rules.map_warnings(lunmap)):
        assert all(str(problem) for problem in found)
    assert all(str(problem) for problem in rules.check_changes(before, lunmap))
    was = compute_desired(before, {}, node, Observed(), VAULT).objects
    want = compute_desired(lunmap, unreadable, node, Observed(was), VAULT)
    assert all(isinstance(failure, Failure) for failure in want.failures.values())
    assert plan(want.objects, want.objects) == ()
    audience = Audience(
        Observed(want.objects, sessions=tuple(sessions(want.objects))), AccessPaths(lunmap, node, {}, LOGINS)
    )
    assert all(audience.impact(step) for step in plan({}, want.objects))
    plan(want.objects, was)
    find_path_problems(find_lun_paths(lunmap, {}, RecentHistory("cluster", 1, "")))


def test_a_document_of_a_thousand_times_the_same_is_judged_at_once() -> None:
    """Repeated values are reported for each repetition, at a cost linear in their number."""
    names = b"[" + b",".join([b'""'] * 200_000) + b"]"
    group = decode(b'{"initiators": ' + names + b"}", SECTIONS["groups"])
    lunmap = msgspec.structs.replace(EMPTY_MAP, groups={"g": group})
    assert len(rules.check_served(lunmap)) == 2 * 200_000 - 1
