"""What a word of the admin stands for."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.map.find_object import find_object
from lunmapd.core.map.short_names import NoSuchNameError
from support.small_map import LUN, MAP, H

BOTH = replace(
    MAP, luns={"a": LUN, "n1": LUN}, initiators={**MAP.initiators, f"{H}2": Initiator(alias="a b")}
)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("a", ("luns", "a")),
        ("luns/n1", ("luns", "n1")),
        ("nodes/n1", ("nodes", "n1")),
        ("n2", ("nodes", "n2")),
        (H, ("initiators", H)),
        ("initiators/h", ("initiators", H)),
        ("a b", ("initiators", f"{H}2")),
    ],
)
def test_a_word_stands_for_one_object(word: str, found: tuple[str, str]) -> None:
    """A section before it chooses, and a host has an alias and a last part."""
    assert find_object(BOTH, word) == found


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("n1", "'n1' stands for several: write luns/n1 or nodes/n1"),
        ("nn2", "the map has no host, Lun or node 'nn2'; did you mean 'n2'?"),
        ("luns/", "the map has no host, Lun or node 'luns/'; 'lunmapctl get' has all names"),
        ("luns/zzz", "the map has no host, Lun or node 'luns/zzz'; 'lunmapctl get' has all names"),
    ],
)
def test_a_word_that_stands_for_none_or_several_is_refused(word: str, sentence: str) -> None:
    """With the choices, or the nearest name."""
    with pytest.raises(NoSuchNameError) as caught:
        find_object(BOTH, word)
    assert str(caught.value) == sentence
