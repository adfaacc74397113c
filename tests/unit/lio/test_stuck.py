"""An observation without directories in which a step hangs."""

import pytest

from lunmapd.core.node import lio_objects
from lunmapd.lio.base.observation import ObservationHints, StuckDirectory
from lunmapd.lio.observe.observe import observe_lio
from support.configfs_tree import IQN, NOBODY, TPGT, Tree, leftovers, served


def test_held_directories_are_not_touched(tree: Tree) -> None:
    """A LUN in which a step hangs is given as last seen, and the mapped LUNs on it are still observed."""
    served(tree)
    (tree.root / f"{TPGT}/lun/lun_0/lunmapd").unlink()
    stuck = StuckDirectory(f"{TPGT}/lun/lun_0", (lio_objects.TpgLun(IQN, 1, "a"),))
    observed = observe_lio(tree.root, NOBODY, ObservationHints((stuck,))).observed.objects
    assert lio_objects.TpgLun(IQN, 1, "a") in observed.values()
    assert lio_objects.MappedLun(IQN, 1, "host", 5, "a", write_protect=True) in observed.values()


@pytest.mark.parametrize("path", [f"{TPGT}/acls", TPGT, f"iscsi/{IQN}", "core/fileio_10000"])
def test_what_is_held_is_given_as_last_seen(tree: Tree, path: str) -> None:
    """With any directory left out, an observation has the same objects as one before."""
    served(tree)
    before = observe_lio(tree.root, NOBODY).observed.objects
    inside = {
        f"{TPGT}/acls": (lio_objects.NodeAcl, lio_objects.MappedLun),
        TPGT: (lio_objects.Tpg, lio_objects.TpgLun, lio_objects.NodeAcl, lio_objects.MappedLun),
        f"iscsi/{IQN}": (
            lio_objects.Target,
            lio_objects.Tpg,
            lio_objects.TpgLun,
            lio_objects.NodeAcl,
            lio_objects.MappedLun,
        ),
        "core/fileio_10000": (lio_objects.StorageObject,),
    }
    stuck = StuckDirectory(path, tuple(item for item in before.values() if isinstance(item, inside[path])))
    assert observe_lio(tree.root, NOBODY, ObservationHints((stuck,))).observed.objects == before


@pytest.mark.parametrize(
    ("kind", "path", "stuck"),
    [
        ("lun", f"{TPGT}/lun/lun_7", f"{TPGT}/lun/lun_7"),
        ("mapped_lun", f"{TPGT}/acls/host/lun_8", f"{TPGT}/acls/host/lun_8"),
        ("storage_object", "core/fileio_10001/b", "core/fileio_10001"),
        ("hba", "core/fileio_10002", "core/fileio_10002"),
    ],
)
def test_a_leftover_that_hangs_stays_one(tree: Tree, kind: str, path: str, stuck: str) -> None:
    """A half whose removal hangs is reported as before, and nothing else is made of its directory."""
    served(tree)
    (tree.root / path).mkdir(parents=True)
    leftover = lio_objects.Leftover(kind, path)
    assert leftovers(tree) == {leftover}
    observed = observe_lio(
        tree.root, NOBODY, ObservationHints((StuckDirectory(stuck, (leftover,)),))
    ).observed.objects
    assert {item for item in observed.values() if isinstance(item, lio_objects.Leftover)} == {leftover}


def test_a_lun_whose_making_hangs_is_not_seen(tree: Tree) -> None:
    """Nothing was known in its directory before, so nothing is now; its number stays taken."""
    served(tree)
    (tree.root / f"{TPGT}/lun/lun_1").mkdir()
    result = observe_lio(tree.root, NOBODY, ObservationHints((StuckDirectory(f"{TPGT}/lun/lun_1"),)))
    assert not any(isinstance(item, lio_objects.Leftover) for item in result.observed.objects.values())
    assert result.index.lun_numbers[IQN, 1].lowest() == 2
