"""The reports of what LIO has opened are made where something changed, and nowhere else."""

from msgspec.structs import replace

from lunmapd.agent.loop.backing_reporter import BackingReporter, describe_nothing
from lunmapd.core.base.backing_reports import BackingReport, DeviceDescription, chunk_of, unpack_reports
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.observed import Observed


class Database:
    """A node's knowledge about devices, which counts the questions."""

    def __init__(self) -> None:
        """Start with a serial for each device."""
        self.asked: list[str] = []
        self.names: tuple[str, ...] = ("/dev/x",)

    def describe(self, numbers: str) -> DeviceDescription:
        """Describe a device."""
        self.asked.append(numbers)
        return DeviceDescription({"serial": numbers}, self.names)


def observed(**facts: BackingFacts) -> Observed:
    """Return these backings, of devices and of files with a size."""
    items = [
        lio_objects.StorageObject(name, "iblock", f"/dev/{name}", 0, "1")
        if each.device
        else lio_objects.StorageObject(name, "fileio", f"/srv/{name}", 512, "1")
        for name, each in facts.items()
    ]
    return Observed({lio_objects.key_of(item): item for item in items}, backings=facts)


DISK = BackingFacts(device="8:0", size=4096, block_size=512)
FILE = BackingFacts(size=1024)


def take(reporter: BackingReporter) -> dict[str, BackingReport]:
    """Return the pending reports, as if they were written."""
    found = unpack_reports(reporter.pending.values())
    reporter.pending.clear()
    return found


def test_a_report_has_what_initiators_see() -> None:
    """A device has its own size and description, a file the size that LIO shows."""
    reporter = BackingReporter(Database().describe)
    reporter.update(observed(a=DISK, b=FILE))
    assert take(reporter) == {
        "a": BackingReport("/dev/a", 4096, 512, {"serial": "8:0"}, ("/dev/x",)),
        "b": BackingReport("/srv/b", 512),
    }


def test_only_what_changed_is_described_again() -> None:
    """The same observation costs nothing, an equal one no description, a change that of one chunk."""
    database = Database()
    reporter = BackingReporter(database.describe)
    names = [f"l{number}" for number in range(100)]
    first = observed(**dict.fromkeys(names, DISK))
    reporter.update(first)
    take(reporter)
    assert len(database.asked) == 100
    reporter.update(first)
    reporter.update(observed(**dict.fromkeys(names, DISK)))
    assert (len(database.asked), reporter.pending) == (100, {})
    digest = reporter.digest
    grown = replace(DISK, size=8192)
    reporter.update(observed(**{**dict.fromkeys(names, DISK), "l7": grown}))
    assert list(reporter.pending) == [chunk_of("l7")]
    assert take(reporter)["l7"].size == 8192
    assert len(database.asked) < 120
    assert reporter.digest != digest


def test_what_is_gone_leaves_its_chunk() -> None:
    """The chunk of a Lun that is not opened any more is written without it."""
    reporter = BackingReporter()
    reporter.update(observed(a=FILE))
    assert reporter.digest
    take(reporter)
    reporter.update(observed())
    assert take(reporter) == {}
    assert reporter.digest == ""


def test_names_are_read_again_when_udev_has_changed_a_device() -> None:
    """Files are not, and chunks without a change are not written."""
    database = Database()
    reporter = BackingReporter(database.describe)
    found = observed(a=DISK, b=FILE)
    reporter.update(found)
    take(reporter)
    reporter.devices_changed()
    reporter.update(found)
    assert (database.asked, reporter.pending) == (["8:0", "8:0"], {})
    database.names = ("/dev/y",)
    reporter.devices_changed({"8:16"})
    reporter.update(found)
    assert (len(database.asked), reporter.pending) == (2, {})
    reporter.devices_changed({"8:16"})
    reporter.devices_changed({"8:0"})
    reporter.update(found)
    assert take(reporter)["a"].names == ("/dev/y",)
    reporter.devices_changed()
    reporter.devices_changed({"8:16"})
    reporter.update(found)
    assert len(database.asked) == 4


def test_all_is_written_again_into_a_tree_that_may_lack_it() -> None:
    """After a new session every chunk is pending."""
    reporter = BackingReporter(describe_nothing)
    found = observed(a=DISK, b=FILE)
    reporter.update(found)
    take(reporter)
    reporter.forget_written()
    reporter.update(found)
    assert take(reporter).keys() == {"a", "b"}
