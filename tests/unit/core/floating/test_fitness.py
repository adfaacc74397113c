"""How well a node can own a floating portal group."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import AluaState, GroupId, Lun, Lunmap, Map
from lunmapd.core.fleet.path_state import DEAD, DRAINED, PathState
from lunmapd.core.floating.choice import Candidate
from lunmapd.core.floating.fitness import fitness_of
from support.floating_map import FLOATING, LUN, H, T

U = "iqn.2026-01.org.example:u"
BOTH = Lun(FileIO("/srv/b"), "2" * 32, 1 << 20, maps=(Map(T, 4, H), Map(U, 4, H)))
TWO: Lunmap = replace(FLOATING, luns={"a": LUN, "b": BOTH})
GOLD = GroupId(T, "gold")

STATES = [
    ("all served", TWO, PathState(), Candidate(fit=True, served=2)),
    ("dead", TWO, PathState(DEAD), Candidate()),
    ("drained", TWO, PathState(DRAINED), Candidate()),
    ("one Lun fails", TWO, PathState(failing={"luns/b": "DeviceMissing"}), Candidate(served=1)),
    ("the target fails", TWO, PathState(failing={f"targets/{T}": "Foreign"}), Candidate()),
    ("the TPG of the group fails", TWO, PathState(failing={f"tpg {T} gold": "Stuck"}), Candidate()),
    ("the node's own TPG fails", TWO, PathState(failing={f"tpg {T}": "Stuck"}), Candidate(fit=True, served=2)),
    ("a portal fails", TWO, PathState(degraded={f"tpg {T} gold"}), Candidate(fit=True, served=2)),
    ("behind with one Lun", TWO, PathState(changed={"luns/a"}), Candidate(served=1)),
    ("an initiator of it fails", TWO, PathState(failing={f"acl {T} {H} gold": "NoKey"}), Candidate()),
    (
        "another target of a Lun fails",
        TWO,
        PathState(failing={f"targets/{U}": "Foreign", f"acl {U} {H}": "NoKey"}),
        Candidate(fit=True, served=2),
    ),
    (
        "a Lun of another target fails",
        replace(FLOATING, luns={"a": LUN, "c": replace(BOTH, maps=BOTH.maps[1:])}),
        PathState(failing={"luns/c": "DeviceMissing"}),
        Candidate(fit=True, served=1),
    ),
    (
        "a Lun is not reported here",
        replace(FLOATING, luns={"a": LUN, "b": replace(BOTH, nodes=("n2",))}),
        PathState(),
        Candidate(served=1),
    ),
    (
        "a Lun accepts no I/O here",
        replace(FLOATING, luns={"a": LUN, "b": replace(BOTH, preferred="n2", others=AluaState.STANDBY)}),
        PathState(),
        Candidate(served=1),
    ),
    (
        "a Lun is slower here",
        replace(FLOATING, luns={"a": LUN, "b": replace(BOTH, preferred="n2")}),
        PathState(),
        Candidate(fit=True, served=2),
    ),
    ("no Lun at all", replace(FLOATING, luns={}), PathState(), Candidate(fit=True)),
    ("no Lun, and the target fails", replace(FLOATING, luns={}), PathState(failing={f"targets/{T}": "Foreign"}), Candidate()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lunmap", "state", "candidate"), [row[1:] for row in STATES], ids=[row[0] for row in STATES]
)
def test_a_node_is_fit_if_it_serves_each_lun_of_the_target(
    lunmap: Lunmap, state: PathState, candidate: Candidate
) -> None:
    """Only what the group's target needs counts; a Lun that is not served is one less."""
    assert fitness_of(lunmap, GOLD, "n1", state) == candidate
