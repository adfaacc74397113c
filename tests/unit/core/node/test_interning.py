"""Objects that are kept once."""

from lunmapd.core.node import lio_objects
from lunmapd.core.node.interning import ObjectPool

T, U, V = (f"iqn.2026-01.org.example:{letter}" for letter in "tuv")
BEFORE: lio_objects.DesiredObjects = lio_objects.by_key(
    [lio_objects.Tpg(T, 1), lio_objects.Tpg(U, 1), lio_objects.Tpg(V, 1)]
)


def alike(iqn: str, *attributes: tuple[str, str]) -> lio_objects.Tpg:
    """Return a TPG whose texts are its own."""
    return lio_objects.Tpg("".join(list(iqn)), 1, attributes)


def test_what_is_as_it_was_is_the_same_object_under_the_same_key() -> None:
    """Equal objects and their keys stay the same instances.

    Changed and new ones are added, others dropped.
    """
    pool = ObjectPool[lio_objects.DesiredObject](BEFORE)
    changed, new = alike(U, ("authentication", "1")), lio_objects.Target(T)
    pool.add([alike(T), changed])
    pool.add([new])
    found = pool.objects()
    assert found == lio_objects.by_key([lio_objects.Tpg(T, 1), changed, new])
    assert found["tpg", T, 1] is BEFORE["tpg", T, 1]
    keys = {name: name for name in BEFORE}
    assert all(name is keys.get(name, name) for name in found)


def test_only_what_is_new_is_put_in_another_form() -> None:
    """Only new objects are converted to the form that is kept.

    Of two objects with one key the last counts.
    """
    asked: list[lio_objects.DesiredObject] = []

    def keep(item: lio_objects.DesiredObject) -> lio_objects.DesiredObject:
        asked.append(item)
        return item

    pool = ObjectPool(BEFORE, keep)
    first, last = alike(U, ("authentication", "1")), alike(U, ("authentication", "2"))
    pool.add([alike(T), first, last])
    assert asked == [first, last]
    assert pool.objects() == lio_objects.by_key([lio_objects.Tpg(T, 1), last])
