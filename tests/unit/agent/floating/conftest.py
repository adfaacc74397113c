"""A cluster whose floating group is served."""

import pytest

from support.floating_nodes import Cluster


@pytest.fixture
def cluster() -> Cluster:
    """Give a cluster whose first node serves the group."""
    made = Cluster()
    made.run(12)
    assert made.owner() == "n1"
    return made
