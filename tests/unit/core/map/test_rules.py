"""The rules of a map, one broken at a time."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import Scope, Shared
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.rules import check_changes, check_map, check_served
from support.small_map import LUN, MAP
from support.valid_map import GOOD, H, T, edited, problems_of


def test_a_good_map_has_no_problems() -> None:
    """A map that keeps the rules is accepted."""
    assert check_map(parse_map(GOOD)[0]) == ()


BROKEN = [
    ("  db1:", "  d/b:", "luns[d/b]", "is not a name"),
    (f"serial: {'1' * 32}", "serial: a:b", "luns[db1].serial", "is not a serial"),
    (
        f"serial: {'1' * 32}",
        f"serial: {'2' * 26}",
        "luns[db2].serial",
        "same NAA identifier from it as from luns[db1]",
    ),
    (
        f"serial: {'1' * 32}",
        f"serial: {'1' * 240}",
        "luns[db1].serial",
        "use at most 239 beside the product 'FILEIO'",
    ),
    (
        f"serial: {'1' * 32}",
        f"serial: {'1' * 230}\n    product: {'x' * 16}",
        "luns[db1].serial",
        "use at most 229 beside",
    ),
    ("/srv/db1.img", "srv/db1.img", "luns[db1].backing.path", "must be absolute"),
    ("/dev/vg/db2", "/srv/db1.img", "luns[db2].backing.path", "already that of luns[db1]"),
    ("    size: 64MiB\n", "", "luns[db1].size", "needs a size"),
    ("size: 64MiB", "size: 1000", "luns[db1].size", "multiple of 512"),
    ("size: 64MiB", "size: 0", "luns[db1].size", "not a positive"),
    ("size: 64MiB", "size: 8192PiB", "luns[db1].size", "more than any device or file can have"),
    (f"target: {T}, lun: 0", f"target: {T}x, lun: 0", "luns[db1].maps[0].target", "there is no target"),
    (f"initiator: {H}}}", f"initiator: {H}x}}", "luns[db1].maps[0].initiator", "there is no initiator"),
    ("lun: 0", "lun: 16384", "luns[db1].maps[0].lun", "use 0 to 16383"),
    (
        "lun: 1",
        "lun: 0",
        "luns[db2].maps[0].lun",
        "already taken for this initiator and target by luns[db1].maps[0]",
    ),
    ("port_id: 2", "port_id: 0", f"targets[{T}].nodes.n2.port_id", "use 1 to 65535"),
    ("port_id: 2", "port_id: 1", f"targets[{T}].nodes.n2.port_id", "already that of"),
    ("n2: {port_id: 2}", "n9: {port_id: 2}", f"targets[{T}].nodes.n9", "there is no node 'n9'"),
    ("portals: [10.0.0.1]", "portals: []", f"targets[{T}].nodes.n1", "has no portals"),
    (f"  {T}: {{nodes", f"  {T}_: {{nodes", f"targets[{T}_]", "not an iSCSI name"),
    (f"  {H}: {{}}", f"  {H}: {{}}\n  HOST: {{}}", "initiators[HOST]", "lower case"),
    (
        f"initiator: {H}}}",
        f"initiator: {H}, group: hosts}}",
        "luns[db1].maps[0]",
        "either an initiator or a group",
    ),
    (f"initiator: {H}}}", "access: ro}", "luns[db1].maps[0]", "either an initiator or a group"),
    (f"initiator: {H}}}", "group: hsots}", "luns[db1].maps[0].group", "there is no group 'hsots'"),
    ("  hosts:", "  ho/sts:", "groups[ho/sts]", "is not a name"),
    (f"[{H}]", f"[{H}x]", "groups[hosts].initiators[0]", "there is no initiator"),
    (f"[{H}]", f"[{H}, {H}]", "groups[hosts].initiators[1]", "is given twice"),
    (
        f"lun: 1, initiator: {H}",
        "lun: 0, group: hosts",
        "luns[db2].maps[0].lun",
        "already taken for this initiator and target by luns[db1].maps[0]",
    ),
    ("  n2:", "  n 2:", "nodes[n 2]", "is not a name"),
    ("tpg_tag: 2", "tpg_tag: 0", "nodes[n2].tpg_tag", "use 1 to 65535"),
    ("tpg_tag: 2", "tpg_tag: 1", "nodes[n2].tpg_tag", "already that of nodes[n1]"),
    ("[10.0.0.1]", "[10.0.0.1, 10.0.0.1]", "nodes[n1].portals[1]", "given twice"),
    (
        "[10.0.0.1]",
        '[10.0.0.1, "[::1]", 0.0.0.0]',
        "nodes[n1].portals[2]",
        "0.0.0.0:3260 and 10.0.0.1:3260 exclude each other",
    ),
    ("[10.0.0.1]", '[10.0.0.1], iser_portals: ["[::]"]', "nodes[n1].iser_portals[0]", "exclude each other"),
    ("[10.0.0.1]", "[here]", "nodes[n1].portals[0]", "is not a portal"),
    ('"[fd00::2]"', "10.0.0.1", "nodes[n2].portals[0]", "already that of nodes[n1]"),
]


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"), BROKEN, ids=[f"{row[2]} {row[3]}" for row in BROKEN]
)
def test_a_broken_rule_is_one_problem_at_its_place(old: str, new: str, place: str, sentence: str) -> None:
    """Each broken rule names the object, the field and what to write instead."""
    found = problems_of(edited(old, new))
    assert any(text.startswith(f"{place}: ") and sentence in text for text in found), found


def test_a_clash_is_reported_once() -> None:
    """A duplicate LUN number gives one problem, not one for each side."""
    lunmap = parse_map(GOOD.replace("lun: 1", "lun: 0"))[0]
    assert len(check_map(lunmap)) == 1


def test_a_lun_mapped_twice_to_one_initiator() -> None:
    """One Lun under two numbers for one initiator and target is refused."""
    again = f"      - {{target: {T}, lun: 5, initiator: {H}}}\n  db2:"
    found = check_map(parse_map(GOOD.replace("  db2:", again, 1))[0])
    assert [problem.message for problem in found] == [
        "this Lun is already mapped to this initiator through this target in luns[db1].maps[0]"
    ]


def test_a_node_can_listen_for_the_other_nodes_of_its_targets() -> None:
    """Discovery reports the portals of a target's other nodes, so the node listens on them as well."""
    text = edited("n1: {port_id: 1}", "n1: {port_id: 1, portals: [10.0.0.1]}")
    text = text.replace("[10.0.0.1]}\n", "[10.0.0.1, '0.0.0.0:3261']}\n").replace(
        '"[fd00::2]"', "'10.0.0.2:3261'"
    )
    assert problems_of(text) == []
    other = f"  {T}-2: {{nodes: {{n1: {{port_id: 3, portals: ['0.0.0.0:3261']}}}}}}\n"
    (problem,) = problems_of(text.replace("initiators:\n", f"{other}initiators:\n", 1))
    assert problem.startswith(f"targets[{T}].nodes.n1: for discovery this node listens on 10.0.0.2:3261 too")
    assert check_served(parse_map(text.replace("initiators:\n", f"{other}initiators:\n", 1))[0]) == ()


def test_a_portal_must_have_its_normal_spelling() -> None:
    """An out-of-band document with another spelling of a portal is refused with the right one."""
    lunmap = parse_map(GOOD)[0]
    node = msgspec.structs.replace(lunmap.nodes["n1"], portals=("10.0.0.1",))
    changed = msgspec.structs.replace(lunmap, nodes={**lunmap.nodes, "n1": node})
    assert "must be spelled '10.0.0.1:3260'" in str(check_map(changed)[0])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"serial": "3" * 32}, "a serial never changes"),
        ({"size": 1 << 20}, "can't shrink"),
        ({"size": 1 << 30}, None),
        ({"size": None}, None),
    ],
)
def test_identity_is_kept(changes: dict[str, Any], sentence: str | None) -> None:
    """A commit may grow a Lun, but neither shrink it nor change its serial."""
    before = parse_map(GOOD)[0]
    lun = msgspec.structs.replace(before.luns["db1"], **changes)
    after = msgspec.structs.replace(before, luns={"db1": lun, "db3": lun})
    found = [problem.message for problem in check_changes(before, after)]
    assert (found == []) if sentence is None else (len(found) == 1 and sentence in found[0])


def test_the_error_prints_every_problem() -> None:
    """The error of an invalid map has one line for each problem."""
    found = check_map(parse_map(GOOD.replace("lun: 1", "lun: 0").replace("tpg_tag: 2", "tpg_tag: 1"))[0])
    assert str(InvalidInputError(found)).count("\n") == 1


def test_the_name_that_was_probably_meant_is_suggested() -> None:
    """By its last part, or as the nearest; of many names none is."""
    text = GOOD.replace(
        f"target: {T}, lun: 0, initiator: {H}", "target: t, lun: 0, initiator: iqn.2026-01.org.example:hh"
    )
    assert [each.partition(": ")[2] for each in problems_of(text)] == [
        f"there is no target 't'; did you mean '{T}'?",
        f"there is no initiator 'iqn.2026-01.org.example:hh'; did you mean '{H}'?",
    ]
    many = "".join(f"  {H}{number}: {{}}\n" for number in range(64))
    assert problems_of(text.replace(f"  {H}: {{}}\n", f"  {H}: {{}}\n{many}"))[1].endswith("example:hh'")


def test_a_wrong_serial_clashes_with_none() -> None:
    """Two serials without a hex digit are two wrong serials, and no clash of the NAA that LIO gives both."""
    first = replace(LUN, serial="xx", shared=Shared(Scope.OFF, Scope.OFF))
    second = replace(first, serial="xy", backing=FileIO("/srv/b"), maps=())
    found = check_map(replace(MAP, luns={"a": first, "b": second}))
    assert [problem.place for problem in found] == [("luns", "a", "serial"), ("luns", "b", "serial")]
