"""Clusters that the tests of a module share. Each module sets up the state that its tests start from."""

from collections.abc import Iterator

import pytest

from lab.pytest_plugin import NewLab
from support.cluster import Cluster, bring_up


@pytest.fixture(scope="module")
def one_node(new_lab: NewLab) -> Iterator[Cluster]:
    """Give a cluster of one node, without a map."""
    with new_lab() as lab:
        yield bring_up(lab, nodes=1)


@pytest.fixture(scope="module")
def two_nodes(new_lab: NewLab) -> Iterator[Cluster]:
    """Give a cluster of two nodes, without a map."""
    with new_lab() as lab:
        yield bring_up(lab, nodes=2)
