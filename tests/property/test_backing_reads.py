"""Whatever devices do, no read of one begins beside another read of it, and each is read again."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.node.backing_reads import Pace, ReadSchedule

PACE = Pace(interval=60.0, confirm=2.0, patience=20.0, a_second=2, hanging=3)
READS = [BackingRead(f"/dev/{name}", "", 4096, 4096) for name in "abcdef"]
PATHS = [read.path for read in READS]
events = st.tuples(
    st.sampled_from(["follow", "begin", "answer", "error", "lose"]),
    st.sets(st.sampled_from(PATHS)),
    st.floats(0.0, 90.0, allow_nan=False),
)


@given(st.lists(events, max_size=40))
def test_one_read_of_a_device_at_a_time(history: list[tuple[str, set[str], float]]) -> None:
    """The reads under way are of different devices, few at a time; problems are of exported ones alone."""
    schedule, now, under_way, wanted = ReadSchedule(PACE), 0.0, set[str](), set[str]()
    for kind, paths, seconds in history:
        now += seconds
        if kind == "follow":
            wanted = paths
            schedule.follow([read for read in READS if read.path in paths], now)
        elif kind == "begin":
            began = [read.path for read in schedule.begin(now)]
            assert len(began) == len(set(began)) <= PACE.a_second
            assert under_way.isdisjoint(began)
            assert wanted.issuperset(began)
            under_way |= set(began)
            assert len(under_way) <= PACE.hanging
        elif kind == "lose":
            schedule.lose(now)
            under_way.clear()
        else:
            for path in under_way & paths:
                schedule.end(path, "" if kind == "answer" else "error", now)
            under_way -= paths
        assert schedule.is_idle == (not under_way)
        assert wanted.issuperset(schedule.problems(now))
    assert_all_are_read(schedule, now, under_way, wanted)


def assert_all_are_read(schedule: ReadSchedule, now: float, under_way: set[str], wanted: set[str]) -> None:
    """Let every device answer from now on; each exported one is read within an interval."""
    for path in under_way:
        schedule.end(path, "", now)
    read, end = set[str](), now + PACE.interval + len(PATHS)
    while now <= end:
        for each in schedule.begin(now):
            read.add(each.path)
            schedule.end(each.path, "", now)
        now += max(0.5, min(schedule.pause(now), 5.0))
    assert read == wanted
    assert schedule.problems(now) == {}
