"""Every contract test runs on both implementations; the real one needs the lab."""

from collections.abc import Iterator

import pytest

from contract import maps
from contract.implementations import FakeImplementation, Implementation, RealImplementation
from lab import Initiator, Lab, Machine
from lab.pytest_plugin import NewLab


@pytest.fixture(scope="session")
def machine(new_lab: NewLab) -> Iterator[Machine]:
    """Return a storage node with a disk, used by one test after the other."""
    with new_lab() as lab:
        node = lab.machine("node", disks=[lab.disk("d1")])
        yield node
        node.kill()


@pytest.fixture(scope="session")
def worked(machine: Machine) -> Iterator[RealImplementation]:
    """Return that node's LIO, with one worker for one test after the other, as the daemon has."""
    implementation = RealImplementation(machine)
    yield implementation
    implementation.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.kernel)])
def implementation(request: pytest.FixtureRequest) -> Implementation:
    """Return one implementation with nothing configured."""
    if request.param == "fake":
        return FakeImplementation()
    real: RealImplementation = request.getfixturevalue("worked")
    real.empty()
    return real


@pytest.fixture(scope="session")
def pair(new_lab: NewLab) -> Iterator[tuple[Machine, Initiator]]:
    """Return a storage node with a device that can be suspended, and an initiator."""
    with new_lab() as lab:
        node, initiator = _boot(lab)
        yield node, initiator
        initiator.machine.kill()
        node.kill()


@pytest.fixture
def real(pair: tuple[Machine, Initiator]) -> Iterator[RealImplementation]:
    """Return that node's LIO with nothing configured."""
    implementation = RealImplementation(pair[0])
    yield implementation
    implementation.close()


def _boot(lab: Lab) -> tuple[Machine, Initiator]:
    modules = ("target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod", "dm_mod")
    node = lab.machine("storage", disks=[lab.disk("d1")], modules=modules, start=False)
    initiator = lab.initiator("client", maps.HOST, start=False)
    lab.start(node, initiator)
    node.run(
        'DM_DISABLE_UDEV=1 dmsetup create slow --table "0 $(blockdev --getsz /dev/disk/lab/d1) linear /dev/disk/lab/d1 0"'
    )
    return node, initiator
