"""Texts that objects share."""

from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua, DefaultGroup
from lunmapd.core.node.interning import ValuePool
from lunmapd.lio.worker import wire

IQN = "iqn.2026-01.org.example:t"
ITEMS = (
    lio_objects.StorageObject("a", "fileio", "/a", 1, "1", (("emulate_pr", "1"),), alua=Alua(1, "standby")),
    lio_objects.StorageObject("b", "fileio", "/b", 2, "2", (("emulate_pr", "1"),)),
    lio_objects.StorageObject("c", "fileio", "/c", 3, "3", default_group=DefaultGroup("standby")),
    lio_objects.StorageObject("d", "fileio", "/d", 4, "4", default_group=DefaultGroup("standby")),
    lio_objects.Tpg(IQN, 1),
    lio_objects.TpgLun(IQN, 1, "a"),
    lio_objects.NodeAcl(IQN, 1, "host", lio_objects.ChapCredentials("bob", Secret("x"))),
    lio_objects.MappedLun(IQN, 1, "host", 1, "a", write_protect=True),
    lio_objects.Portal(IQN, 1, "10.0.0.1:3260", iser=True),
    lio_objects.Enabled(IQN, 1, 1),
)


def test_objects_stay_what_they_are_and_share_their_texts() -> None:
    """Each object is equal to the original, and a name or setting of several objects is one string."""
    answer = wire.decode_answer(wire.encode_message(wire.ObjectsAnswer(ITEMS)))
    assert isinstance(answer, wire.ObjectsAnswer)
    pool = ValuePool()
    shared = tuple(pool.share(item) for item in answer.objects)
    assert shared == ITEMS
    assert [repr(item) for item in shared] == [repr(item) for item in ITEMS]
    one, other, third, fourth, tpg, lun, *_, mapped = shared[:8]
    assert isinstance(one, lio_objects.StorageObject)
    assert isinstance(other, lio_objects.StorageObject)
    assert one.attributes is other.attributes
    assert other.default_group is DEFAULT_GROUP
    assert isinstance(third, lio_objects.StorageObject)
    assert isinstance(fourth, lio_objects.StorageObject)
    assert third.default_group is fourth.default_group
    assert isinstance(tpg, lio_objects.Tpg)
    assert isinstance(lun, lio_objects.TpgLun)
    assert isinstance(mapped, lio_objects.MappedLun)
    assert tpg.iqn is lun.iqn is mapped.iqn
    assert one.name is lun.storage_object is mapped.storage_object


def test_large_numbers_are_shared_and_true_is_not_one() -> None:
    """Python keeps only the numbers up to 256 once; write protection stays a bool beside a LUN number 1."""
    lun = lio_objects.MappedLun(IQN, 1, "host", 1000, "a", write_protect=True)
    other = lio_objects.MappedLun(IQN, 1, "other", 1000, "a", write_protect=True)
    answer = wire.decode_answer(wire.encode_message(wire.ObjectsAnswer((lun, other))))
    assert isinstance(answer, wire.ObjectsAnswer)
    pool = ValuePool()
    one, two = (pool.share(item) for item in answer.objects)
    assert isinstance(one, lio_objects.MappedLun)
    assert isinstance(two, lio_objects.MappedLun)
    assert one.lun is two.lun
    assert one.write_protect is True
    assert one.tag == 1
    assert one.tag is not True
