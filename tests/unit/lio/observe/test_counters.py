"""The counters of the sessions of a target."""

import pytest

from lunmapd.core.node.observed import SessionCounters
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.observe.counters import read_counters, record_counters
from support.configfs_tree import IQN, Tree

FILES = {
    "iscsi_login_stats/accepts": "4",
    "iscsi_logout_stats/normal_logouts": "2",
    "iscsi_logout_stats/abnormal_logouts": "1",
    "iscsi_instance/sessions": "3",
}


def counted(tree: Tree, **changes: str) -> SessionCounters | None:
    """Write the files with some changes, and read them."""
    for name, text in FILES.items():
        tree.write(f"iscsi/{IQN}/fabric_statistics/{name}", changes.get(name.rpartition("/")[2], text))
    return read_counters(Observation(tree.root), IQN)


def test_the_counters_are_read(tree: Tree) -> None:
    """The inode distinguishes a target that was made again."""
    found = counted(tree)
    inode = (tree.root / "iscsi" / IQN).stat().st_ino
    assert found == SessionCounters(inode, 4, 2, 1, 3)


@pytest.mark.parametrize("name", [name.rpartition("/")[2] for name in FILES])
def test_a_kernel_without_one_of_them_has_none(tree: Tree, name: str) -> None:
    """A part of them would prove nothing; nor does a target that is gone."""
    assert counted(tree, **{name: "(null)"}) is None
    assert read_counters(Observation(tree.root), "iqn.2026-01.org.example:gone") is None


def test_counters_that_change_meanwhile_are_not_steady(tree: Tree) -> None:
    """Then the sessions that were read between belong to neither."""
    observation, before = Observation(tree.root), counted(tree)
    record_counters(observation, IQN, before)
    assert observation.counters[IQN].is_steady
    counted(tree, accepts="5")
    record_counters(observation, IQN, before)
    assert not observation.counters[IQN].is_steady
    record_counters(Observation(tree.root), IQN, None)
