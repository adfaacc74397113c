"""Warnings that say the same are one line."""

from lunmapd.core.base.errors import Problem
from lunmapd.service.ctl.text.problem_lines import problem_lines


def test_equal_warnings_of_many_luns_are_one_line() -> None:
    """Numbers in the sentence do not matter; the first is shown whole, the others are counted and named."""
    many = [
        Problem(("luns", f"l{n}", "maps", 0), f"{n} is above 255", f"m.yaml:{n}") for n in range(256, 10_256)
    ]
    others = "luns[l257].maps[0], luns[l258].maps[0], luns[l259].maps[0] and 9996 more"
    assert list(problem_lines([*many, Problem(("nodes",), "odd")])) == [
        f"m.yaml:256: luns[l256].maps[0]: 256 is above 255 (9,999 more such: {others})",
        "nodes: odd",
    ]


def test_a_few_warnings_are_a_line_each() -> None:
    """Up to three are shown in full, in their order."""
    few = [Problem((name,), "odd") for name in "abc"]
    assert list(problem_lines(few)) == ["a: odd", "b: odd", "c: odd"]
