"""The index of a map finds what a change concerns beyond the changed objects."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block, RamDisk
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.map_change import compare_objects
from lunmapd.core.map import rules
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.rule_index import RuleIndex
from support.maps import lun, luns, with_lun
from support.takeover_map import TAKEN, TAKEOVER
from support.valid_map import H, T, edited

_RAM_DISK = replace(lun(2), backing=RamDisk(volatile=True))
_HOOKED = replace(TAKEN, backing=Block("/dev/drbd0"), size=None, hook="drbd")
_DB3 = f"""
  db3:
    serial: {"3" * 32}
    shared: {{reservations: off, compare_and_write: off}}
    backing: {{type: block, path: /dev/vg/db3}}
    maps:
      - {{target: {T}, lun: 3, group: hosts}}
targets:"""
# A target that listens on all addresses of a node, on which another target of the node reports a remote one.
_OTHER = "targets:\n  iqn.2026-01.org.example:o: {nodes: {n1: {port_id: 7, portals: ['[::]:3260']}}}"

_GROUP = "{tpg_tag: 900, port_id: 901, portals: ['10.9.9.9:3260'], nodes: [n1]}"
_FLOATING = (
    ("targets:", f"targets:\n  iqn.2026-01.org.example:f: {{nodes: {{}}, floating: {{gold: {_GROUP}}}}}"),
)


def map_of(*edits: tuple[str, str]) -> Lunmap:
    """Return the good map with a Lun for a group, and each first text replaced."""
    text = edited("\ntargets:", _DB3)
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_map(text)[0]


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ((), ("lun: 3, group: hosts", "lun: 0, group: hosts"), "LUN number is already taken"),
        (
            (),
            (f"hosts: {{initiators: [{H}]}}", "hosts: {initiators: [iqn.2026-01.org.example:x]}"),
            "no init",
        ),
        ((), ("serial: " + "3" * 32, "serial: " + "1" * 32), "same NAA"),
        ((), ("path: /dev/vg/db3", "path: /dev/vg/db2"), "same backing"),
        (
            (),
            ("path: /dev/vg/db3", "path: /dev/vg/db3, overrides: {n1: /dev/vg/db2}"),
            "on this node the same",
        ),
        (
            (("path: /dev/vg/db2", "path: /dev/vg/db2, overrides: {n1: /dev/x}"),),
            ("path: /dev/vg/db3", "path: /dev/x"),
            "on this node the same",
        ),
        (
            (("{tpg_tag: 1,", "{tpg_tag: 1, devices: {/dev/vg: /dev/y},"),),
            ("path: /dev/vg/db3", "path: /dev/y/db2"),
            "on this node the same",
        ),
        ((), ("serial: " + "3" * 32, "serial: short"), "luns[db3].serial"),
        ((), ("tpg_tag: 2", "tpg_tag: 1"), "same TPG tag"),
        ((), ("port_id: 2", "port_id: 1"), "same port id"),
        ((), ("[fd00::2]", "10.0.0.1"), "same portal"),
        ((), (f"{T}: {{nodes", f"{T}: {{authentication: chap, nodes"), "requires it"),
        ((), (f"  {H}: {{}}", f"  {H}: {{probe: true}}"), "is a probe"),
        ((), ('  n2: {tpg_tag: 2, portals: ["[fd00::2]"]}\n', ""), "there is no node 'n2'"),
        (
            (
                ("[10.0.0.1]", "['10.0.0.1:3261', '[::]:3260']"),
                ("n1: {port_id: 1}", "n1: {port_id: 1, portals: ['10.0.0.1:3261']}"),
            ),
            ("targets:", _OTHER),
            "exclude each other",
        ),
        (_FLOATING, ("[10.0.0.1]", "[10.0.0.1, 10.9.9.9]"), "already that of"),
        (_FLOATING, ("tpg_tag: 2", "tpg_tag: 900"), "same TPG tag"),
        (_FLOATING, ("port_id: 2", "port_id: 901"), "same port id"),
        (_FLOATING, ("nodes: [n1]", "nodes: [n1, n9]"), "there is no node 'n9'"),
        (_FLOATING, ("portals: ['10.9.9.9:3260']", "portals: ['10.0.0.1:3261']"), "already that of"),
        (_FLOATING, ("10.9.9.9:3260", "10.9.9.8:3260"), ""),
        ((), ("size: 64MiB", "size: 128MiB"), ""),
    ],
)
def test_a_problem_that_a_change_makes_is_found(
    before: tuple[tuple[str, str], ...], after: tuple[str, str], word: str
) -> None:
    """The report is that of the whole map, whichever of the objects was changed."""
    former, latter = map_of(*before), map_of(*before, after)
    index = RuleIndex(former)
    assert rules.check_map(former) == ()
    found = index.check(latter, compare_objects(former, latter).objects)
    assert found == rules.check_map(latter)
    assert bool(found) == bool(word)
    assert word in " ".join(map(str, found))


@pytest.mark.parametrize("before", [Lunmap(), map_of(), luns(1), TAKEOVER])
@pytest.mark.parametrize(
    "after",
    [Lunmap(), map_of(*_FLOATING), with_lun(luns(1), "r", _RAM_DISK), with_lun(TAKEOVER, "a", _HOOKED)],
)
def test_an_index_follows_a_change(before: Lunmap, after: Lunmap) -> None:
    """After a commit it is the index of the new map: nothing of the former one is left in it."""
    index = RuleIndex(before)
    index.advance(after, compare_objects(before, after).objects)
    assert vars(index) == vars(RuleIndex(after))


def test_a_change_is_checked_in_its_part_of_the_map() -> None:
    """Of a map of many Luns a changed one is checked with what it refers to, not with the other Luns."""
    many = luns(*range(1, 30))
    index = RuleIndex(many)
    one = next(iter(many.luns))
    assert list(index._part(many, [("luns", one)]).luns) == [one]
