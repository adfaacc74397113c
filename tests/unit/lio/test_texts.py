"""Texts that objects share."""

from lunmapd.core import lio
from lunmapd.core.lunmap import AluaState
from lunmapd.core.password import Secret
from lunmapd.lio import wire
from lunmapd.lio.texts import Texts

IQN = "iqn.2026-01.org.example:t"
ITEMS = (
    lio.StorageObject(
        "a", "fileio", "/a", 1, "1", (("emulate_pr", "1"),), alua=lio.Alua(1, AluaState.STANDBY)
    ),
    lio.StorageObject("b", "fileio", "/b", 2, "2", (("emulate_pr", "1"),)),
    lio.Tpg(IQN, 1),
    lio.TpgLun(IQN, 1, "a"),
    lio.NodeAcl(IQN, 1, "host", lio.Credentials("bob", Secret("x"))),
    lio.MappedLun(IQN, 1, "host", 1, "a", write_protect=True),
    lio.Portal(IQN, 1, "10.0.0.1:3260", iser=True),
    lio.Enabled(IQN, 1, 1),
)


def test_objects_stay_what_they_are_and_share_their_texts() -> None:
    """Each object is equal to what it was, down to numbers and flags, and a name or setting of several objects is one text."""
    answer = wire.decode_answer(wire.encode(wire.Some(ITEMS)))
    assert isinstance(answer, wire.Some)
    texts = Texts()
    found = tuple(texts.share(item) for item in answer.objects)
    assert found == ITEMS
    assert [repr(item) for item in found] == [repr(item) for item in ITEMS]
    one, other, tpg, lun, *_, mapped = found[:6]
    assert isinstance(one, lio.StorageObject)
    assert isinstance(other, lio.StorageObject)
    assert one.attributes is other.attributes
    assert isinstance(tpg, lio.Tpg)
    assert isinstance(lun, lio.TpgLun)
    assert isinstance(mapped, lio.MappedLun)
    assert tpg.iqn is lun.iqn is mapped.iqn
    assert one.name is lun.storage_object is mapped.storage_object
