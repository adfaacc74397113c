"""The table of LIO's plugins: one row for each kind of backing."""

from typing import get_args

import pytest

from lunmapd.core.base.attributes import STORAGE
from lunmapd.core.base.backings import (
    PLUGINS,
    Backing,
    Block,
    FileIO,
    PluginName,
    Pscsi,
    RamDisk,
    User,
    backing_of,
    plugin_of,
    source,
)


def test_each_kind_of_backing_has_a_row() -> None:
    """And each name of a plugin; names differ, in configfs and in saveconfig.json."""
    assert {plugin.backing for plugin in PLUGINS.values()} == set(get_args(Backing))
    assert set(PLUGINS) == set(PluginName)
    assert len({plugin.saved_name for plugin in PLUGINS.values()}) == len(PLUGINS)


@pytest.mark.parametrize(
    "backing", [Block("/dev/a"), FileIO("/a"), Pscsi("/dev/sg1"), RamDisk(volatile=True), User("rbd/a")]
)
def test_a_backing_is_found_by_plugin_and_source(backing: Backing) -> None:
    """As an adoption finds it."""
    assert backing_of(plugin_of(backing), source(backing)) == backing


@pytest.mark.parametrize("name", PLUGINS)
def test_an_attribute_is_governed_or_free(name: str) -> None:
    """No map can set what lunmapd sets itself."""
    assert not {(name, attribute) for attribute in PLUGINS[name].governed} & STORAGE.keys()
