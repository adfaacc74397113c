"""Problems and warnings that say the same are one line."""

from lunmapd.core.base.errors import InvalidInputError, Problem, problem_lines


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


def test_the_text_of_an_error_has_all_problems() -> None:
    """Its lines, which are printed, sum them up: programs read the text or `problems`."""
    error = InvalidInputError([Problem((f"l{number}",), "odd") for number in range(5)])
    assert len(str(error).splitlines()) == len(error.problems) == 5
    assert error.lines == ("l0: odd (4 more such: l1, l2, l3 and 1 more)",)
