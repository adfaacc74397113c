"""LUNs of storage objects that need a program."""

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.apply.luns import begin_batch, create_lun, prepare_lun
from lunmapd.lio.base.index import KernelIndex
from lunmapd.lio.base.refusal import KernelRefusedError

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"


def mapped(name: str) -> lio_objects.MappedLun:
    """Return a mapped LUN of a storage object."""
    return lio_objects.MappedLun(T, 1, H, 0, name, write_protect=False)


def created(name: str) -> tuple[Step, Step]:
    """Return the steps that export a storage object and map it."""
    lun = lio_objects.TpgLun(T, 1, name)
    return Step(Action.CREATE, lun, "x"), Step(Action.CREATE, mapped(name), "x")


def test_a_batch_looks_for_handlers_once() -> None:
    """However many are away; storage objects that are made later, and the next batch, cost another look."""
    looks = list[None]()
    index = KernelIndex({"a": "user_10001", "b": "user_10002", "f": "fileio_10000"})
    there = {"user_10001/a": False, "user_10002/b": True}

    def look() -> dict[str, bool]:
        looks.append(None)
        return dict(there)

    def prepare(*names: str) -> int:
        looks.clear()
        for name in names:
            for step in created(name):
                prepare_lun(step, index, look)
        return len(looks)

    assert prepare("f") == 0
    assert prepare("a", "b", "a") == 1
    with pytest.raises(KernelRefusedError) as refused:
        create_lun(mapped("a"), index)
    assert refused.value.failure.reason == Reason.HANDLER_AWAY
    index.hbas["c"], there["user_10003/c"] = "user_10003", True
    assert prepare("a", "c") == 1
    begin_batch(index)
    assert prepare("b", "c") == 0
    assert prepare("a", "b") == 1


def test_what_is_removed_needs_no_handler() -> None:
    """Only creations look for one."""
    index = KernelIndex({"a": "user_10001"})
    prepare_lun(Step(Action.DELETE, lio_objects.TpgLun(T, 1, "a"), "x"), index)
    assert index.handlers == {}
