"""Reading the map from YAML: refused values, and their places."""

import pytest

from lunmapd.core.base.backings import Block
from lunmapd.core.base.errors import InvalidInputError, Problem
from lunmapd.core.base.lunmap import Access, Lun, Lunmap, Map, Node, PortalGroup
from lunmapd.core.map.mapfile import parse_map, parse_size, show_map, show_size

LUN = "luns:\n  db1:\n    backing: {type: block, path: /dev/a}\n"

BAD = [
    ("luns: [", "m.yaml:1: (top level): not valid YAML"),
    (
        "luns:\n\tdb1: 1",
        "m.yaml:2: (top level): not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token; indent with spaces",
    ),
    ("- a", "m.yaml:1: (top level): expected a mapping, got a list"),
    ("disks: {}", "m.yaml:1: disks: unknown field"),
    ("lnus: {}", "m.yaml:1: lnus: unknown field; did you mean 'luns'?"),
    ("luns: []", "m.yaml:1: luns: expected a mapping, got a list"),
    (LUN + "    size: [1]", "m.yaml:4: luns[db1].size: expected a whole number, got a list"),
    (
        LUN + "    <<: {size: 1GiB}",
        (
            "m.yaml:4: luns[db1].<<: unknown field; YAML's merge key is not supported: write the fields, or an "
            "alias of a whole value"
        ),
    ),
    (LUN + "    szie: 1GiB", "m.yaml:4: luns[db1].szie: unknown field; did you mean 'size'?"),
    (LUN + "    size: big", "m.yaml:4: luns[db1].size: 'big' is not a size"),
    (LUN + "    maps: [{lun: 1}]", "m.yaml:4: luns[db1].maps[0]: missing required field 'target'"),
    (
        LUN + "    maps:\n      - target: t\n        lun: x\n",
        "m.yaml:6: luns[db1].maps[0].lun: expected a whole number, got 'x'",
    ),
    (LUN + "  db1: {}", "m.yaml:4: luns[db1]: is already given in line 2"),
    ("luns:\n  db1: 7", "m.yaml:2: luns[db1]: expected a mapping with backing, got text"),
    (
        "luns:\n  db1: {backing: {type: tape, path: /a}}",
        "m.yaml:2: luns[db1].backing.type: 'tape' is none of block, fileio, ramdisk, pscsi, user",
    ),
    ("nodes:\n  n1:\n", "m.yaml:2: nodes[n1]: missing required field 'tpg_tag'"),
    (
        "nodes:\n  n1: {tpg_tag: 1, portals: [[]]}",
        "m.yaml:2: nodes[n1].portals[0]: expected text, got a list",
    ),
    ("targets:\n  t: {nodes: [n1, n1]}", "m.yaml:2: targets[t].nodes[1]: node 'n1' is given twice"),
    ("targets:\n  t: {nodes: {n1: 3}}", "m.yaml:2: targets[t].nodes.n1: expected a mapping, got text"),
    ("targets:\n  t: {nodes: 3}", "m.yaml:2: targets[t].nodes: expected a mapping, got text"),
    ("targets:\n  t:\n    nodes:\n      - []", "m.yaml:4: targets[t].nodes[0]: expected the name of a node"),
    ("luns: &a\n  b: *a", "m.yaml:2: luns[b]: an alias that contains itself"),
    ("luns: {a: " + "[" * 1000 + "]" * 1000 + "}", "m.yaml: (top level): nested too deeply"),
    ("a:\n\0b", "m.yaml:2: (top level): not valid YAML: no place for the character U+0000"),
    ('a: "\\UFFFFFFFF"', "m.yaml: (top level): not valid YAML: an escape stands for no character"),
    (r'luns: {a: "\ud800"}', "m.yaml:1: luns[a]: half a character"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[repr(row[0][:40]) for row in BAD])
def test_bad_files_are_refused_with_line_and_field(text: str, message: str) -> None:
    """Each mistake is one problem that names file, line and field."""
    with pytest.raises(InvalidInputError) as caught:
        parse_map(text, "m.yaml")
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(message)


def test_all_problems_of_a_file_come_at_once() -> None:
    """Two wrong objects give two problems."""
    with pytest.raises(InvalidInputError) as caught:
        parse_map("luns:\n  a: 1\n  b: 2\nnodes: {n: 3}")
    assert len(caught.value.problems) == 3


def test_short_spellings() -> None:
    """Sizes may have units, portals may leave out the port, and empty things may be left empty."""
    text = (
        LUN
        + "    size: 1 GiB\ninitiators:\n  iqn.2026-01.org.example:h:\nnodes:\n  n1: {tpg_tag: 1, portals: [10.0.0.1]}\n"
    )
    lunmap, _ = parse_map(text)
    assert lunmap.luns["db1"].size == 1 << 30
    assert lunmap.nodes["n1"].portals == ("10.0.0.1:3260",)
    assert "iqn.2026-01.org.example:h" in lunmap.initiators


def test_a_target_names_its_nodes_or_gives_their_port_ids() -> None:
    """The nodes of a target are a list of names, or a mapping that gives port ids."""
    lunmap, _ = parse_map("targets:\n  a: {nodes: [n1]}\n  b: {nodes: {n1: {port_id: 4}}}\n")
    assert {name: target.nodes["n1"].port_id for name, target in lunmap.targets.items()} == {"a": 0, "b": 4}


def test_portals_have_one_spelling_everywhere() -> None:
    """Portals of nodes, of a target's nodes and for iSER may leave out the port; an empty node is valid."""
    text = "nodes:\n  n1: {tpg_tag: 1, iser_portals: [10.0.0.1]}\ntargets:\n  a: {nodes: {n1: {portals: [fd00::1]}, n2: }}\n"
    lunmap, _ = parse_map(text)
    assert lunmap.nodes["n1"].iser_portals == ("10.0.0.1:3260",)
    assert lunmap.targets["a"].nodes == {"n1": PortalGroup(0, ("[fd00::1]:3260",)), "n2": PortalGroup()}


def test_numbers_and_dates_as_names_stay_text() -> None:
    """A name that YAML would take for a number or a date is a name."""
    lunmap, _ = parse_map(
        "nodes:\n  7: {tpg_tag: 1}\n  2026-01-01: {tpg_tag: 2}\ninitiators: {a: {alias: 2026-01-01}}"
    )
    assert set(lunmap.nodes) == {"7", "2026-01-01"}
    assert lunmap.initiators["a"].alias == "2026-01-01"


def test_a_serial_of_digits_stays_text() -> None:
    """An unquoted serial that YAML would take for a number is kept digit by digit."""
    for serial in ("0" * 31 + "1", "12e4" + "0" * 28, "0x" + "1" * 30):
        assert parse_map(LUN + f"    serial: {serial}\n")[0].luns["db1"].serial == serial


def test_an_empty_file_is_an_empty_map() -> None:
    """Nothing at all reads as the empty map."""
    assert parse_map("")[0] == Lunmap()


def test_a_problem_far_inside_names_the_nearest_line() -> None:
    """A rule about a field that the file does not spell out points at the object."""
    _, source = parse_map(LUN)
    assert source.problem(("luns", "db1", "size"), "x") == Problem(
        ("luns", "db1", "size"), "x", "lunmap.yaml:2"
    )
    assert source.problem(("nodes", "n1"), "x").source == "lunmap.yaml:1"


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("1K", 1024), ("64MiB", 1 << 26), ("2tib", 2 << 40), ("3PB", 3 << 50)]
)
def test_sizes(text: str, size: int) -> None:
    """Units are powers of 1024."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1.5G", "-1", "1 X", "GiB", "9" * 5000])
def test_bad_sizes(text: str) -> None:
    """Anything else is refused with the units that are known."""
    with pytest.raises(ValueError, match="KiB, MiB"):
        parse_size(text)


def test_printing() -> None:
    """A printed map is YAML in the order of the sections, with sizes in units."""
    maps = (Map("iqn.2026-01.org.example:t", 0, "iqn.2026-01.org.example:h", access=Access.READ_ONLY),)
    lunmap = Lunmap(
        {"db1": Lun(Block("/dev/a"), "5" * 32, 1 << 30, maps=maps), "x": Lun(Block("/dev/b"))},
        nodes={"n1": Node(1)},
    )
    text = show_map(lunmap)
    assert text.startswith("luns:\n  db1:\n    backing:\n      type: block\n")
    assert "size: 1GiB" in text
    assert "access: ro" in text


def test_odd_sizes_print_in_bytes() -> None:
    """A size that no unit divides prints as bytes, and zero as zero."""
    assert show_size(513) == "513"
    assert show_size(0) == "0"


def test_all_problems_of_one_object_come_at_once() -> None:
    """Wrong keys, types and words are all reported with line and nearest key; none hides another."""
    text = """\
luns:
  db1:
    backing: {type: block, path: /dev/a, overide: {}}
    sise: 1GiB
    size: big
    product: [7]
    others: fast
    attributes: {queue_depth: x, is_nonrot: 1}
    maps:
      - {target: t, lun: one}
      - {targte: t, lun: 1, acces: ro}
      - {lun: 2}
targets:
  t: {nodes: {n1: 3, n2: {port_id: x}}}
  u: {nodes: [n1, [], n1]}
  v: {nodes: [n1], nodes: [n2], aliass: a}
nodees: {}
nodes: {n1: {tpg_tag: x}, n2: }
"""
    with pytest.raises(InvalidInputError) as caught:
        parse_map(text, "m")
    assert [str(problem) for problem in caught.value.problems] == [
        "m:3: luns[db1].backing.overide: unknown field; did you mean 'overrides'?",
        "m:4: luns[db1].sise: unknown field; did you mean 'size'?",
        "m:5: luns[db1].size: 'big' is not a size: use bytes or KiB, MiB, GiB, TiB, PiB, such as 64MiB",
        "m:6: luns[db1].product: expected text, got a list",
        "m:7: luns[db1].others: 'fast' is none of optimized, non-optimized, standby, unavailable",
        "m:8: luns[db1].attributes.queue_depth: expected a whole number, got 'x'",
        "m:10: luns[db1].maps[0].lun: expected a whole number, got 'one'",
        "m:11: luns[db1].maps[1].targte: unknown field; did you mean 'target'?",
        "m:11: luns[db1].maps[1].acces: unknown field; did you mean 'access'?",
        "m:12: luns[db1].maps[2]: missing required field 'target'",
        "m:14: targets[t].nodes.n1: expected a mapping, got text",
        "m:14: targets[t].nodes.n2.port_id: expected a whole number, got 'x'",
        "m:15: targets[u].nodes[1]: expected the name of a node",
        "m:15: targets[u].nodes[2]: node 'n1' is given twice",
        "m:16: targets[v].nodes: is already given in line 16",
        "m:16: targets[v].aliass: unknown field; did you mean 'alias'?",
        "m:17: nodees: unknown field; did you mean 'nodes'?",
        "m:18: nodes[n1].tpg_tag: expected a whole number, got 'x'",
        "m:18: nodes[n2]: missing required field 'tpg_tag'",
    ]


def test_aliases_do_not_multiply_without_bound() -> None:
    """A short text whose aliases stand for very many values is refused; aliases of a common size are read."""
    inner = ", ".join(["a"] * 1000)
    text = f"luns: {{x: {{maps: &x [{inner}]}}, y: {{maps: [{', '.join(['*x'] * 1000)}]}}}}"
    with pytest.raises(InvalidInputError, match=r"lunmap.yaml:1: .*aliases stand for more than \d+ values"):
        parse_map(text)
    shared = "".join(f"  i{number}: {{attributes: *all}}\n" for number in range(1000))
    head = f"luns:\n  a: {{attributes: &all {{{', '.join(f'k{number}: 1' for number in range(100))}}}}}\n"
    with pytest.raises(InvalidInputError) as caught:
        parse_map(head + shared)
    assert "aliases" not in str(caught.value)
