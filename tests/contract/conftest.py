"""Every contract test runs on both sides; the real one needs the lab."""

from collections.abc import Iterator

import pytest

from contract.sides import FakeSide, RealSide, Side
from lab import Machine
from lab.pytest_plugin import NewLab


@pytest.fixture(scope="session")
def machine(new_lab: NewLab) -> Iterator[Machine]:
    """Return a storage node with a disk, used by one test after the other."""
    with new_lab() as lab:
        node = lab.machine("node", disks=[lab.disk("d1")])
        yield node
        node.kill()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Return one side with nothing configured."""
    chosen: Side = FakeSide() if request.param == "fake" else RealSide(request.getfixturevalue("machine"))
    yield chosen
    chosen.close()
