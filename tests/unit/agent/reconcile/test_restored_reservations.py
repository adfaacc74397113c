"""Passes that restore or end persistent reservations, on the fake LIO."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.core.node import lio_objects
from lunmapd.core.node.reservations import ReservationFiles, ReservationRecord
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.plan import Action
from lunmapd.core.secrets.sealing import Vault
from support.agents import H, T, mapped_luns

LIVE = ReservationRecord(f"{2:04x}" * 8, "l2", H, "0xabc", T, 1, 2)
ON_DISK = replace(LIVE, storage_object="", live=False)

Pass = Callable[..., PassResult]


@pytest.fixture
def kernel() -> FakeLio:
    """Give a fake LIO."""
    return FakeLio()


@pytest.fixture
def make_pass(kernel: FakeLio, tmp_path: Path) -> Pass:
    """Give a function that makes a pass for a map of the Luns with these numbers."""
    state, edges = PassState(60.0), PassPorts(kernel, Claims(tmp_path))

    def make(*numbers: int) -> PassResult:
        return reconcile(edges, PassInput("n1", 1, mapped_luns(*numbers), {}, Vault("c")), state)

    return make


def kept(kernel: FakeLio, action: Action, kind: type) -> list[tuple[lio_objects.Key, ...]]:
    """Return the mapped LUNs whose records the steps of this kind have kept."""
    return [step.keeps for step in kernel.done if step.action is action and isinstance(step.item, kind)]


def test_a_storage_object_is_made_with_its_records(kernel: FakeLio, make_pass: Pass) -> None:
    """Each storage object with those of its own mapped LUNs."""
    kernel.reservations = ReservationFiles((ON_DISK,))
    make_pass(1, 2)
    assert kept(kernel, Action.CREATE, lio_objects.StorageObject) == [(), (LIVE.place,)]


def test_a_partial_pass_leaves_such_a_storage_object_to_a_full_one(kernel: FakeLio, make_pass: Pass) -> None:
    """A Lun that comes back has its records restored or reported as at a boot."""
    kernel.reservations = ReservationFiles((ON_DISK,))
    make_pass(1)
    looks = kernel.looks
    make_pass(1, 3)
    assert kernel.looks == looks
    make_pass(1, 3, 2)
    assert kernel.looks > looks
    assert kept(kernel, Action.CREATE, lio_objects.StorageObject)[-1] == (LIVE.place,)


def test_a_lun_that_is_removed_keeps_no_record(
    kernel: FakeLio, make_pass: Pass, caplog: pytest.LogCaptureFixture
) -> None:
    """The kernel ends the reservation, and the journal has that."""
    kernel.reservations = ReservationFiles((LIVE,))
    make_pass(1, 2)
    make_pass(1)
    assert kept(kernel, Action.DELETE, lio_objects.MappedLun) == [()]
    assert f"reservation ended, since its mapped LUN was removed: {LIVE}" in caplog.messages


def test_a_record_that_was_not_restored_is_in_each_result(kernel: FakeLio, make_pass: Pass) -> None:
    """In that of a partial pass, too."""
    absent = replace(LIVE, live=False)
    kernel.reservations = ReservationFiles((absent,))
    assert make_pass(1, 2).unrestored == (absent,)
    assert make_pass(1, 2, 3).unrestored == (absent,)
