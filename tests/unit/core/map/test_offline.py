"""Checking a map file by itself."""

from pathlib import Path

import pytest

from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.offline import check_map_file
from support.valid_map import GOOD, H, edited


def told(text: str, former: str | None = None) -> list[str]:
    """Return the problems of a file named m."""
    return [
        str(each) for each in check_map_file(text, "m", parse_map(former)[0] if former else None).problems
    ]


@pytest.mark.parametrize(
    "text",
    [GOOD, Path("config/lunmap.yaml").read_text(), "", edited(f"{H}: {{}}", f"{H}: {{chap: {{user: u}}}}")],
)
def test_what_a_commit_fills_in_counts_as_given(text: str) -> None:
    """Serials, port ids and passwords are in the tree, or are chosen by the commit."""
    assert told(text) == []
    assert told("\n".join(line for line in text.splitlines() if "serial:" not in line)) == []


def test_mistakes_of_form_hide_no_broken_rules() -> None:
    """Both are reported in the order of their lines; what follows from a mistake of form is not."""
    text = (
        edited("access: ro", "access: readonly")
        .replace("lun: 0,", "lun: 99999,")
        .replace("tpg_tag: 2", "tpg_tagg: 2")
    )
    assert told(text) == [
        "m:9: luns[db1].maps[0].lun: 99999 is not a LUN number: use 0 to 16383",
        "m:15: luns[db2].maps[0].access: 'readonly' is none of rw, ro",
        "m:24: nodes[n2].tpg_tagg: unknown field; did you mean 'tpg_tag'?",
    ]


@pytest.mark.parametrize(
    "mistake", ["nodes: []\n", "targets: {x: 3}\n", "targets: {x: {nodes: 7}}\n", "lnus: {}\n"]
)
def test_rules_that_depend_on_a_misread_part_are_not_checked(mistake: str) -> None:
    """A section or the nodes of a target that can't be read would break the rules of all Luns."""
    (problem,) = told("luns: {a: {backing: {type: block, path: x}}}\n" + mistake)
    assert problem.startswith("m:2: ")


def test_a_text_that_is_no_yaml_has_one_problem() -> None:
    """With its line."""
    (problem,) = told("luns: [")
    assert problem.startswith("m:1: (top level): not valid YAML")


def test_changes_are_compared_with_the_map_before() -> None:
    """A serial that changes and a Lun that shrinks are refused, and omitted serials are those of that map."""
    assert told(edited("1" * 32, "3" * 32).replace("64MiB", "32MiB"), GOOD) == [
        f"m:4: luns[db1].serial: a serial never changes: it is {'1' * 32!r}; make a new Lun instead",
        "m:6: luns[db1].size: a Lun can't shrink: it has 67108864 bytes; initiators would lose data; to allow it: --shrink db1",
    ]
    assert told(edited(f"    serial: {'1' * 32}\n", ""), GOOD) == []


def test_warnings_have_their_lines() -> None:
    """They do not make the file invalid."""
    checked = check_map_file(edited("lun: 0", "lun: 300"), "m")
    assert checked.problems == ()
    assert [each.source for each in checked.warnings if "300 is above 255" in each.message] == ["m:9"]
