"""The steps that taking over may execute."""

import pytest
from msgspec import structs

from lunmapd.core.adoption.in_place import is_in_place
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua, DefaultGroup
from lunmapd.core.node.lio_objects import Enabled, MappedLun, NodeAcl, Portal, Tpg, TpgLun
from lunmapd.core.planning.plan import Action, Step
from support.saveconfigs import HOST, A

DISK = lio_objects.StorageObject("db1", "iblock", "/dev/vg0/db1", 0, "1" * 32, (("emulate_3pc", "1"),))
OWN = Tpg(A, 1, (("authentication", "0"), ("tpg_enabled_sendtargets", "1")))
REMOTE = Tpg(A, 2, (("tpg_enabled_sendtargets", "0"),))
DESIRED = lio_objects.by_key([OWN, REMOTE])


def update(before: lio_objects.Object, **fields: object) -> Step:
    """Return the step that changes fields of an object."""
    return Step(Action.UPDATE, structs.replace(before, **fields), "other", before)


def create(item: lio_objects.Object) -> Step:
    """Return the step that makes an object."""
    return Step(Action.CREATE, item, "in the map")


def delete(item: lio_objects.Object) -> Step:
    """Return the step that removes an object."""
    return Step(Action.DELETE, item, "not in the map", item)


@pytest.mark.parametrize(
    "step",
    [
        update(DISK, attributes=(("emulate_3pc", "0"),)),
        update(DISK, attributes=(("emulate_3pc", "1"), ("max_write_same_len", "0"))),
        update(structs.replace(DISK, default_group=DefaultGroup(access_type="None")), default_group=DefaultGroup()),
        update(DISK, alua=Alua(1, AluaState.NON_OPTIMIZED)),
        update(OWN, attributes=(("authentication", "0"), ("tpg_enabled_sendtargets", "0"))),
        update(TpgLun(A, 1, "db1"), group=1),
        update(NodeAcl(A, 1, HOST, overrides_authentication=True), overrides_authentication=False),
        create(REMOTE),
        create(Portal(A, 2, "10.0.0.2:3260")),
        delete(TpgLun(A, 2, "db1")),
        create(NodeAcl(A, 2, HOST)),
    ],
    ids=str,
)  # fmt: skip
def test_no_session_notices_it(step: Step) -> None:
    """Settings that lunmapd governs, target port groups of open paths, and all in a remote TPG."""
    assert is_in_place(step, DESIRED)


@pytest.mark.parametrize(
    "step",
    [
        update(DISK, attributes=(("emulate_3pc", "1"), ("block_size", "4096"))),
        update(DISK, path="/dev/vg0/other"),
        update(structs.replace(DISK, default_group=DefaultGroup(state="standby")), default_group=DefaultGroup()),
        update(DISK, alua=Alua(1, AluaState.STANDBY)),
        update(OWN, attributes=(("authentication", "1"), ("tpg_enabled_sendtargets", "1"))),
        update(OWN, parameters=(("MaxConnections", "4"),)),
        update(TpgLun(A, 1, "db1", offline=True), offline=False),
        update(NodeAcl(A, 1, HOST), credentials=lio_objects.ChapCredentials("bob", Secret("a word"))),
        update(MappedLun(A, 1, HOST, 0, "db1", write_protect=False), write_protect=True),
        create(Portal(A, 1, "10.0.0.2:3260")),
        delete(Tpg(A, 3)),
        delete(Enabled(A, 2, 7)),
        delete(lio_objects.Leftover("lun", "iscsi/x/lun_3")),
    ],
    ids=str,
)  # fmt: skip
def test_it_prevents_taking_over(step: Step) -> None:
    """What changes a path, the data or the access, or removes another gateway from discovery."""
    assert not is_in_place(step, DESIRED)
