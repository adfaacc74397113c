"""Fixtures of the tests of lio."""

from pathlib import Path

import pytest

from support.configfs_tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return an empty LIO."""
    return Tree(tmp_path)
