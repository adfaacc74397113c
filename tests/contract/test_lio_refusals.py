"""The fake LIO and the kernel: refused steps, and their cost."""

import pytest

from contract import maps
from contract.implementations import DEVICE, Implementation
from contract.maps import (
    ACL,
    CLAIMS,
    ENABLED,
    IQN,
    SIZE,
    TAG,
    TARGET,
    TPG,
    apply,
    attempt,
    converge,
    files,
    full,
    observed,
    only,
    reasons,
)
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.planning.outcome import failures_of
from lunmapd.core.planning.plan import Action, plan


@pytest.mark.parametrize(
    "item",
    [TARGET, TPG, ACL, maps.storage_object("a"), maps.lun("a")],
    ids=lambda item: type(item).__name__,
)
def test_what_is_stood_on_is_not_removed(
    implementation: Implementation, item: lio_objects.DesiredObject
) -> None:
    """A deletion out of order is refused and changes nothing; an exported storage object keeps its group."""
    files(implementation, "a")
    group = Alua(TAG, AluaState.NON_OPTIMIZED)
    served = full("a") | only(*maps.grouped("a", group))
    converge(implementation, served)
    assert attempt(implementation, Action.DELETE, item) == "InUse"
    assert observed(implementation) == served


@pytest.mark.parametrize("item", full("a").values(), ids=lambda item: type(item).__name__)
def test_nothing_is_made_twice(implementation: Implementation, item: lio_objects.DesiredObject) -> None:
    """Making what exists is refused and changes nothing."""
    files(implementation, "a")
    converge(implementation, full("a"))
    assert attempt(implementation, Action.CREATE, item) == "KernelRefused"
    assert observed(implementation) == full("a")


@pytest.mark.parametrize(
    "item",
    [TPG, ENABLED, ACL, maps.PORTAL, maps.lun("a"), maps.mapped("a", 0)],
    ids=lambda item: type(item).__name__,
)
def test_nothing_is_made_without_its_parents(
    implementation: Implementation, item: lio_objects.DesiredObject
) -> None:
    """An object whose parent is missing is refused."""
    observed(implementation)
    assert attempt(implementation, Action.CREATE, item) == "KernelRefused"
    assert observed(implementation) == {}


@pytest.mark.parametrize("item", full("a").values(), ids=lambda item: type(item).__name__)
def test_removing_what_is_gone_is_done(
    implementation: Implementation, item: lio_objects.DesiredObject
) -> None:
    """A deletion whose object has vanished is no failure."""
    observed(implementation)
    assert attempt(implementation, Action.DELETE, item) is None


def test_an_enabled_tpg_is_not_removed(implementation: Implementation) -> None:
    """Closing a TPG is a step of its own."""
    converge(implementation, only(TARGET, TPG, ENABLED))
    assert attempt(implementation, Action.DELETE, TPG) == "InUse"


def test_a_number_is_mapped_once(implementation: Implementation) -> None:
    """A second mapping under a number that the initiator has is refused."""
    files(implementation, "a", "b")
    converge(implementation, full("a", "b"))
    assert attempt(implementation, Action.CREATE, maps.mapped("b", 0)) == "KernelRefused"


def test_a_port_id_is_taken_once_on_a_node(implementation: Implementation) -> None:
    """Two enabled TPGs of one kernel can't have the same relative target port id, even in two targets."""
    converge(implementation, full())
    other = f"{IQN}-2"
    enabled = lio_objects.Enabled(other, TAG, TAG)
    second = only(
        lio_objects.Target(other), lio_objects.Tpg(other, TAG, TPG.attributes, TPG.parameters), enabled
    )
    (failure,) = failures_of(apply(implementation, full() | second)).values()
    assert (failure.reason, IQN in failure.message) == ("PortIdTaken", True)


def test_a_missing_file_stops_only_what_stands_on_it(implementation: Implementation) -> None:
    """The other Lun is served; LUN and mapping of the missing one wait; the file is never created."""
    files(implementation, "b")
    implementation.missing("/srv/a")
    told = reasons(failures_of(apply(implementation, full("a", "b"))))
    assert told == {
        ("storage_object", "a"): "BackingDeviceMissing",
        lio_objects.key_of(maps.lun("a")): Reason.WAITING,
        lio_objects.key_of(maps.mapped("a", 0)): Reason.WAITING,
    }
    assert observed(implementation) == {
        name: item for name, item in full("a", "b").items() if lio_objects.lun_served_by(item) != "a"
    }
    files(implementation, "a")
    converge(implementation, full("a", "b"))


def test_a_short_file_is_not_exported(implementation: Implementation) -> None:
    """A file shorter than the Lun is refused, since reads past its end would fail; so is growing it later."""
    files(implementation, "a")
    assert attempt(implementation, Action.CREATE, maps.storage_object("a", SIZE + 512)) == "SizeMismatch"
    converge(implementation, full("a"))
    assert (
        attempt(implementation, Action.UPDATE, maps.storage_object("a", SIZE + 512), maps.storage_object("a"))
        == "SizeMismatch"
    )


def test_a_short_device_is_not_exported(implementation: Implementation) -> None:
    """A device with fewer bytes than the map declares is refused; one with as many or more shows its size."""
    size = implementation.size(DEVICE)
    assert attempt(implementation, Action.CREATE, maps.block("disk", DEVICE, size + 512)) == "SizeMismatch"
    assert observed(implementation) == {}
    converge(implementation, only(maps.block("disk", DEVICE, size)))
    assert implementation.kernel.observe(CLAIMS).backings["disk"].size == size
    assert plan(only(maps.block("disk", DEVICE, size + 512)), observed(implementation)) == ()


def test_a_device_is_exported_once(implementation: Implementation) -> None:
    """A device that something holds is refused."""
    converge(implementation, only(maps.block("disk", DEVICE)))
    assert attempt(implementation, Action.CREATE, maps.block("again", DEVICE)) == "InUse"
