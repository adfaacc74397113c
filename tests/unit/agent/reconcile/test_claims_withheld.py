"""Passes whose claims can't be written or read: only new targets are withheld."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.lunmap import Lunmap, Map, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.core.secrets.sealing import Vault
from support.agents import MAP, A, H, T, mapped_luns, shown
from support.bad_files import BAD_FILES, refuse_writes

NEW = f"{T}2"
TWO_TARGETS = replace(
    MAP,
    luns={"a": replace(A, maps=(Map(NEW, 0, H),))},
    targets={T: Target({"n1": PortalGroup(1)}), NEW: Target({"n1": PortalGroup(2)})},
)
"""MAP without Lun b, and Lun a moved to a new target."""

Pass = Callable[[Lunmap], PassResult]


@pytest.fixture
def kernel() -> FakeLio:
    """Give a fake LIO."""
    return FakeLio()


@pytest.fixture
def restarted(kernel: FakeLio, tmp_path: Path) -> Callable[[], Pass]:
    """Give a function that starts the passes of a new process on the kernel and the directory."""

    def start() -> Pass:
        state, edges = PassState(0.0, 0.0), PassPorts(kernel, Claims(tmp_path))

        def make(lunmap: Lunmap) -> PassResult:
            given = PassInput("n1", 1, lunmap, {}, Vault("c"), limits=RemovalLimits(share=1.0))
            return reconcile(edges, given, state)

        return make

    return start


def reasons(result: PassResult) -> dict[str, str]:
    """Return the reason of each object that fails, except for those that wait."""
    return {
        lio_objects.show_key(key): failure.reason
        for key, failure in result.failures.items()
        if failure.reason != "Waiting"
    }


def targets(kernel: FakeLio) -> set[str]:
    """Return the targets in the kernel."""
    return {item.iqn for item in kernel.objects.values() if isinstance(item, lio_objects.Target)}


def test_a_full_disk_withholds_only_new_targets(
    kernel: FakeLio, restarted: Callable[[], Pass], tmp_path: Path
) -> None:
    """Access that the map takes away ends, also after a restart; the target comes when there is room."""
    restarted()(MAP)
    assert shown(kernel) == {"a", "b"}
    refuse_writes(tmp_path / "claims.json")
    make = restarted()
    result = make(TWO_TARGETS)
    assert reasons(result) == {f"target {NEW}": "ClaimsUnwritable"}
    assert (shown(kernel), targets(kernel)) == (set(), {T})
    (tmp_path / "claims.json.new").rmdir()
    assert make(TWO_TARGETS).converged
    assert (shown(kernel), targets(kernel)) == ({"a"}, {T, NEW})


def test_a_full_disk_keeps_no_claimed_target_away(
    kernel: FakeLio, restarted: Callable[[], Pass], tmp_path: Path
) -> None:
    """After a reboot everything that the file claims is created, and only the rest is withheld."""
    restarted()(MAP)
    kernel.objects.clear()
    refuse_writes(tmp_path / "claims.json")
    result = restarted()(replace(MAP, targets={**MAP.targets, NEW: Target({"n1": PortalGroup(2)})}))
    assert reasons(result) == {f"target {NEW}": "ClaimsUnwritable"}
    assert (shown(kernel), targets(kernel)) == ({"a", "b"}, {T})


@pytest.mark.parametrize("kind", BAD_FILES)
def test_an_unusable_file_keeps_no_access(
    kernel: FakeLio, restarted: Callable[[], Pass], tmp_path: Path, kind: str
) -> None:
    """With a full disk too: removals and changes go on, and only new targets are withheld."""
    restarted()(mapped_luns(1, 2, 3))
    (tmp_path / "claims.json").unlink()
    BAD_FILES[kind](tmp_path / "claims.json")
    refuse_writes(tmp_path / "claims.json")
    make = restarted()
    assert make(mapped_luns(1, 4)).converged
    assert shown(kernel) == {"l1", "l4"}
    lacks = replace(
        mapped_luns(1), targets={T: Target({"n1": PortalGroup(1)}), NEW: Target({"n1": PortalGroup(2)})}
    )
    assert reasons(make(lacks)) == {f"target {NEW}": "ClaimsUnreadable"}
    assert shown(kernel) == {"l1"}


@pytest.mark.parametrize("kind", BAD_FILES.keys() - {"directory"})
def test_an_unusable_file_is_written_anew(
    kernel: FakeLio, restarted: Callable[[], Pass], tmp_path: Path, kind: str
) -> None:
    """By the next full pass, also by one without a step, with the targets of the map."""
    restarted()(MAP)
    (tmp_path / "claims.json").unlink()
    BAD_FILES[kind](tmp_path / "claims.json")
    done = len(kernel.done)
    assert restarted()(MAP).converged
    assert len(kernel.done) == done
    assert Claims(tmp_path).load() == {T}


def test_a_target_that_is_not_removed_yet_stays_claimed(
    kernel: FakeLio, restarted: Callable[[], Pass], tmp_path: Path
) -> None:
    """A half-made target of ours must not become a foreign one while its removal fails."""
    restarted()(MAP)
    kernel.objects = {("target", T): lio_objects.Target(T)}
    kernel.failures["target", T] = Failure(Reason.KERNEL_REFUSED, "busy")
    gone = replace(MAP, luns={}, targets={})
    make = restarted()
    for _ in range(2):
        assert not make(gone).converged
        assert Claims(tmp_path).load() == {T}
    kernel.failures.clear()
    assert make(gone).converged
    assert Claims(tmp_path).load() == frozenset()
