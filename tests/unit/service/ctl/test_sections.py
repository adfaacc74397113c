"""The words for a section of the map and for an object of it."""

import click
import pytest
from msgspec.structs import replace

from lunmapd.core.map.short_names import NoSuchNameError
from lunmapd.service.ctl.files.sections import full_name, object_path, section_and_name
from support.small_map import LUN, MAP, H, T


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((None, None), (None, None)),
        (("luns", None), ("luns", None)),
        (("lun", "a"), ("luns", "a")),
        (("luns/a", None), ("luns", "a")),
        (("host", "h"), ("initiators", "h")),
    ],
)
def test_a_section_has_several_words(words: tuple[str, str], found: tuple[str, str]) -> None:
    """The singular, `host` for an initiator, and a path."""
    assert section_and_name(*words) == found


def test_a_word_that_is_no_section_is_refused() -> None:
    """A path with a second name is one too many."""
    for words in (("disks", None), ("luns/a", "b")):
        with pytest.raises(click.UsageError, match="the name of an object follows its section"):
            section_and_name(*words)


def test_hosts_and_targets_have_short_names() -> None:
    """A Lun or an unknown host has none."""
    assert full_name(MAP, "initiators", "h") == H
    assert full_name(MAP, "targets", "t") == T
    assert full_name(MAP, "initiators", "x") == "x"
    assert full_name(MAP, "luns", "a") == "a"
    assert full_name(MAP, "initiators", None) is None


def test_an_object_is_found_without_its_section() -> None:
    """One that is gone needs it, since only the history knows it."""
    assert object_path(MAP, "a") == "luns/a"
    assert object_path(MAP, "h") == f"initiators/{H}"
    assert object_path(MAP, "host/h") == f"initiators/{H}"
    assert object_path(MAP, "luns/gone") == "luns/gone"
    assert object_path(MAP, "gone") == "gone"
    assert object_path(MAP, "disks/a") == "disks/a"
    with pytest.raises(NoSuchNameError, match="luns/n1 or nodes/n1"):
        object_path(replace(MAP, luns={"n1": LUN}), "n1")
