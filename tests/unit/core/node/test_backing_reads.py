"""When files and devices are read, and what follows from the answers."""

from msgspec.structs import replace

from lunmapd.core.base.backing_read import BackingKey, BackingRead
from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts, NameState
from lunmapd.core.node.backing_reads import Pace, ReadSchedule, find_reads, read_failures
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed

PACE = Pace(interval=60.0, confirm=2.0, patience=20.0, a_second=2, hanging=3)
READS = [BackingRead(f"/dev/{name}", "", 4096, 4096) for name in "abcde"]
A, B = READS[:2]
ITEM = lio_objects.StorageObject("disk", PluginName.IBLOCK, "/dev/a", 0, "s")


def reasons(schedule: ReadSchedule, now: float) -> dict[BackingKey, str]:
    """Return the reasons of the problems by backing."""
    return {key: why.reason for key, why in schedule.problems(now).items()}


def started(*reads: BackingRead) -> ReadSchedule:
    """Return a schedule that began these reads at time 0."""
    schedule = ReadSchedule(PACE)
    schedule.follow(reads, 0.0)
    assert schedule.begin(0.0) == list(reads)
    return schedule


def test_few_are_read_at_a_time_and_each_once_an_interval() -> None:
    """A second begins so many reads at most; a backing is read again an interval after its answer."""
    schedule = ReadSchedule(PACE)
    schedule.follow(READS, 0.0)
    assert [len(schedule.begin(now)) for now in (0.0, 0.5)] == [2, 0]
    assert schedule.pause(0.5) == 0.5
    for read in (A, B):
        schedule.end(read.key, "", 0.6)
    assert len(schedule.begin(1.0)) == 2
    for read in READS[2:4]:
        schedule.end(read.key, "", 1.5)
    assert schedule.begin(2.5) == READS[4:]
    schedule.end(READS[4].key, "", 2.6)
    assert schedule.is_idle
    assert (schedule.problems(2.6), schedule.pause(2.6)) == ({}, 58.0)
    assert schedule.begin(60.5) == []
    assert schedule.begin(60.6) == [A, B]


def test_a_read_that_fails_is_a_problem_once_a_second_one_has_failed() -> None:
    """The first error is confirmed soon; the problem ends with the first read that succeeds."""
    schedule = started(A)
    schedule.end(A.key, "first block: Input/output error", 0.1)
    assert (schedule.problems(0.1), schedule.begin(2.0)) == ({}, [])
    assert schedule.begin(2.1) == [A]
    schedule.end(A.key, "last block: Input/output error", 2.2)
    assert "last block: Input/output error" in schedule.problems(2.2)[A.key].message
    assert schedule.begin(62.2) == [A]
    assert reasons(schedule, 62.2) == {A.key: Reason.BACKING_UNREADABLE}
    schedule.end(A.key, "", 62.3)
    assert schedule.problems(62.3) == {}


def test_an_error_of_a_moment_is_no_problem() -> None:
    """The read that would confirm it succeeds, and the next error is a first one again."""
    schedule = started(A)
    schedule.end(A.key, "error", 0.0)
    assert schedule.begin(2.0) == [A]
    schedule.end(A.key, "", 2.0)
    assert schedule.begin(62.0) == [A]
    schedule.end(A.key, "error", 62.0)
    assert schedule.problems(62.0) == {}


def test_a_backing_that_hangs_is_not_read_again_and_costs_no_other() -> None:
    """It is a problem after the patience, until it answers; an error then needs no second read."""
    schedule = started(A, B)
    schedule.end(B.key, "", 0.0)
    assert (reasons(schedule, 19.9), schedule.pause(15.0)) == ({}, 5.0)
    assert reasons(schedule, 20.0) == {A.key: Reason.BACKING_HANGS}
    assert schedule.pause(20.0) == 40.0
    assert schedule.begin(600.0) == [B]
    schedule.end(A.key, "open: No such device", 601.0)
    assert reasons(schedule, 601.0) == {A.key: Reason.BACKING_UNREADABLE}


def test_a_file_that_replaces_another_is_read_beside_the_read_that_hangs() -> None:
    """The answer to the read of the old one says nothing of the new one."""
    old, new = (BackingRead("/f", "", 4096, 4096, file) for file in ("2049:1", "2049:2"))
    schedule = started(old)
    assert reasons(schedule, 20.0) == {old.key: Reason.BACKING_HANGS}
    schedule.follow([new], 21.0)
    assert (schedule.problems(21.0), schedule.begin(21.0)) == ({}, [new])
    schedule.end(new.key, "", 21.1)
    schedule.end(old.key, "open: No such file or directory", 22.0)
    assert (schedule.is_idle, schedule.problems(22.0)) == (True, {})


def test_with_many_reads_that_hang_no_further_one_begins() -> None:
    """Their number is bounded; the others wait until one of them is answered."""
    schedule = ReadSchedule(PACE)
    schedule.follow(READS, 0.0)
    assert [len(schedule.begin(now)) for now in (0.0, 1.0, 2.0)] == [2, 1, 0]
    assert schedule.pause(30.0) == 60.0
    schedule.end(A.key, "", 31.0)
    assert schedule.begin(31.0) == [READS[3]]


def test_a_backing_that_is_exported_no_more_has_no_problem() -> None:
    """Its answer is ignored; if it comes back meanwhile, it waits for that answer."""
    schedule = started(A, B)
    schedule.end(B.key, "error", 0.0)
    schedule.begin(2.0)
    schedule.end(B.key, "error", 2.0)
    schedule.follow([], 30.0)
    assert (schedule.problems(30.0), schedule.begin(90.0)) == ({}, [])
    schedule.follow([A], 91.0)
    assert schedule.begin(91.0) == []
    schedule.follow([], 92.0)
    schedule.end(A.key, "error", 93.0)
    assert (schedule.is_idle, schedule.pause(93.0)) == (True, 60.0)


def test_reads_whose_process_ended_are_made_after_an_interval() -> None:
    """What they would have found is unknown, so nothing is a problem."""
    schedule = started(A, B)
    schedule.follow([B], 1.0)
    schedule.lose(1.0)
    assert (schedule.is_idle, schedule.begin(60.9)) == (True, [])
    assert schedule.begin(61.0) == [B]


def test_what_is_read() -> None:
    """Files and block devices are, whose path leads to what was opened; a device without a size is not."""
    objects: dict[lio_objects.Key, lio_objects.Object] = {
        ("storage_object", "disk"): ITEM,
        ("storage_object", "file"): replace(
            ITEM, name="file", plugin=PluginName.FILEIO, path="/f", size=8192
        ),
        ("storage_object", "scsi"): replace(ITEM, name="scsi", plugin=PluginName.PSCSI),
        ("storage_object", "empty"): replace(ITEM, name="empty"),
        ("storage_object", "gone"): replace(ITEM, name="gone"),
    }
    facts = {str(key[1]): BackingFacts(device="7:0", size=8192, block_size=512) for key in objects}
    facts["file"] = BackingFacts(size=8192, file="2049:131")
    facts |= {"empty": BackingFacts(size=0), "gone": BackingFacts(NameState.MISSING), "none": BackingFacts()}
    found = find_reads(Observed(objects, backings=facts))
    assert found == {
        "disk": BackingRead("/dev/a", "7:0", 8192, 512),
        "file": BackingRead("/f", "", 8192, 4096, "2049:131"),
    }
    assert (found["disk"].last, found["file"].last) == (7680, 4096)
    assert BackingRead("/f", "", 4608, 4096).last == 4096


def test_only_what_is_observed_fails() -> None:
    """A Lun that the node has removed meanwhile has no failing object."""
    why = Failure(Reason.BACKING_HANGS, "it hangs")
    found = read_failures({"disk": why, "old": why}, {("storage_object", "disk"): ITEM})
    assert found == {("storage_object", "disk"): why}
