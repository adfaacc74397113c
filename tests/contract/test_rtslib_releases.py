"""The supported releases of rtslib-fb, beside that of Debian 13 which all other contract tests use."""

import io
import tarfile

import pytest

from contract import maps
from contract.implementations import WORKER, RealImplementation
from contract.maps import ACL, CLAIMS, IQN, TAG, converge, full, only
from contract.releases import unpacked
from lab import Machine
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import plan

pytestmark = pytest.mark.kernel

# Debian 12's, and the newest. The older one needs six, which Debian 13 has not installed with rtslib.
RELEASES = ("oldest", "newest")


@pytest.fixture(params=RELEASES)
def implementation(request: pytest.FixtureRequest, machine: Machine) -> RealImplementation:
    """Return the machine's LIO through a worker with another release of rtslib."""
    archive, place = io.BytesIO(), f"/opt/rtslib-{request.param}"
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(unpacked("rtslib", request.param), ".")
    machine.run(f"mkdir -p {place}; tar -x -C {place}", input=archive.getvalue())
    found = machine.run(f"PYTHONPATH={place} python3 -c 'import rtslib_fb; print(rtslib_fb.__file__)'")
    assert found.stdout.startswith(place)
    return RealImplementation(machine, f"export PYTHONPATH={place}; {WORKER}")


def test_everything_is_made_changed_and_removed(implementation: RealImplementation) -> None:
    """Each kind of object that needs rtslib is made, updated and removed; rtslib's errors are understood."""
    for name in ("a", "b"):
        implementation.file(f"/srv/{name}", 2 * maps.SIZE)
    group = maps.grouped("b", Alua(TAG, AluaState.NON_OPTIMIZED))
    kinds = (maps.ramdisk("ram"), maps.lun("ram"), maps.mapped("ram", 300), maps.program("tcmu"), *group)
    converge(implementation, full("a", "b") | only(*kinds, maps.secret(ACL, mutual=True)))
    tpg = lio_objects.Tpg(IQN, TAG, (*maps.TPG.attributes, ("login_timeout", "20")), maps.TPG.parameters)
    grown = maps.given(maps.storage_object("a", 2 * maps.SIZE), emulate_tpu=1)
    changed = full("a", "b") | only(*kinds, grown, tpg, maps.mapped("a", 0, read_only=True), ACL)
    converge(implementation, changed)
    missing = changed | only(maps.storage_object("c"), maps.ramdisk("too-large", 1 << 60))
    failed = failures_of(
        implementation.kernel.apply(plan(missing, implementation.kernel.observe(CLAIMS).objects))
    )
    assert {key[1]: failure.reason for key, failure in failed.items()} == {
        "c": "BackingDeviceMissing",
        "too-large": "KernelRefused",
    }
    converge(implementation, {})
    implementation.close()
