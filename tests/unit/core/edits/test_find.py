"""The objects that the words of an admin stand for."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group
from lunmapd.core.base.sections import Section
from lunmapd.core.edits.find import find_name_in
from support.small_map import MAP, H, T

WITH_GROUP = replace(MAP, groups={"web": Group((H,))})


@pytest.mark.parametrize(
    ("section", "word", "name"),
    [("luns", "a", "a"), ("targets", "t", T), ("initiators", "h", H), ("groups", "web", "web"), ("nodes", "n1", "n1")],
)  # fmt: skip
def test_each_section_has_its_words(section: Section, word: str, name: str) -> None:
    """Targets and initiators have short names too."""
    assert find_name_in(WITH_GROUP, section, word) == name
