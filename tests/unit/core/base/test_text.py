"""Pieces of sentences."""

from lunmapd.core.base.text import first_of, nearest, suggestion


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    """A short one is given whole."""
    assert first_of(["a", "b"], 2) == "a, b"
    assert first_of(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert first_of(["a", "b", "c"], 2, "; ") == "a; b and 1 more"
    assert first_of([], 2) == ""


def test_the_nearest_known_name_is_suggested() -> None:
    """Without a near name there is no suggestion."""
    assert suggestion(nearest("sise", ["serial", "size"])) == "; did you mean 'size'?"
    assert suggestion(nearest("zzz", ["serial", "size"])) == ""
