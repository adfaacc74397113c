"""Whatever devices do, no read of one begins beside another read of it, and each is read again."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.backing_read import BackingKey, BackingRead
from lunmapd.core.node.backing_reads import Pace, ReadSchedule

PACE = Pace(interval=60.0, confirm=2.0, patience=20.0, a_second=2, hanging=3)
READS = [BackingRead(f"/dev/{name}", "", 4096, 4096) for name in "abcdef"]
KEYS = [read.key for read in READS]
events = st.tuples(
    st.sampled_from(["follow", "begin", "answer", "error", "lose"]),
    st.sets(st.sampled_from(KEYS)),
    st.floats(0.0, 90.0, allow_nan=False),
)


@given(st.lists(events, max_size=40))
def test_one_read_of_a_device_at_a_time(history: list[tuple[str, set[BackingKey], float]]) -> None:
    """The reads under way are of different devices, few at a time; problems are of exported ones alone."""
    schedule, now, under_way, wanted = ReadSchedule(PACE), 0.0, set[BackingKey](), set[BackingKey]()
    for kind, keys, seconds in history:
        now += seconds
        if kind == "follow":
            wanted = keys
            schedule.follow([read for read in READS if read.key in keys], now)
        elif kind == "begin":
            began = [read.key for read in schedule.begin(now)]
            assert len(began) == len(set(began)) <= PACE.a_second
            assert under_way.isdisjoint(began)
            assert wanted.issuperset(began)
            under_way |= set(began)
            assert len(under_way) <= PACE.hanging
        elif kind == "lose":
            schedule.lose(now)
            under_way.clear()
        else:
            for key in under_way & keys:
                schedule.end(key, "" if kind == "answer" else "error", now)
            under_way -= keys
        assert schedule.is_idle == (not under_way)
        assert wanted.issuperset(schedule.problems(now))
    assert_all_are_read(schedule, now, under_way, wanted)


def assert_all_are_read(
    schedule: ReadSchedule, now: float, under_way: set[BackingKey], wanted: set[BackingKey]
) -> None:
    """Let every device answer from now on; each exported one is read within an interval."""
    for key in under_way:
        schedule.end(key, "", now)
    read, end = set[BackingKey](), now + PACE.interval + len(KEYS)
    while now <= end:
        for each in schedule.begin(now):
            read.add(each.key)
            schedule.end(each.key, "", now)
        now += max(0.5, min(schedule.pause(now), 5.0))
    assert read == wanted
    assert schedule.problems(now) == {}
