"""One ensemble of three for all tests, whole again after each, and a field for each."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.harness import Harness
from lab import Ensemble, Lab
from lab.pytest_plugin import NewLab

DISK = "64m"


@pytest.fixture(scope="session")
def shared_lab(new_lab: NewLab) -> Iterator[Lab]:
    """Give the lab in which the ensemble runs."""
    with new_lab(tree=None) as lab:
        yield lab


@pytest.fixture(scope="session")
def shared_trio(shared_lab: Lab) -> Ensemble:
    """Give three servers, each with a small disk of its own."""
    return shared_lab.ensemble(3, disk=DISK, start=False)


@pytest.fixture
def trio(shared_trio: Ensemble) -> Ensemble:
    """Give the servers, all of them serving in whatever state the test before left them."""
    if not all(server.mode() for server in shared_trio.servers):
        shared_trio.renew()
    return shared_trio


@pytest.fixture
def root() -> str:
    """Give a chroot that no other test has."""
    return f"/{uuid.uuid4().hex}/lunmap"


@pytest.fixture
def harness(trio: Ensemble, root: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Give a tree of the test's own with three followers; the test's name is the seed."""
    with Harness(trio, root, request.node.name, tmp_path) as made:
        yield made
