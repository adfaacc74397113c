"""What `lun grow` states of nodes that have not the new size."""

from lunmapd.service.ctl.edits.lun import grown_too_little, lacking_sizes


def test_a_node_without_a_report_has_nothing_to_grow() -> None:
    """Its size is unknown, and not too small."""
    assert lacking_sizes({"n1": 2 << 20, "n2": 1 << 20, "n3": 0}, 0) == (
        "n2 has 1 MiB and not 2 MiB: grow the file or device there",
        "n3 reports no size: see 'lunmapctl status'",
    )


def test_a_device_has_grown_when_each_node_has_more_than_the_map() -> None:
    """A node that reports none, or less than the others, is named; so is each if none has more."""
    assert grown_too_little("a", {"n1": 2 << 20, "n2": 2 << 20}, 1 << 20) == ()
    assert grown_too_little("a", {}, 1 << 20) == ("no live node reports a",)
    assert grown_too_little("a", {"n1": 1 << 20}, 1 << 20) == (
        "n1 has 1 MiB, no more than before: grow the device there",
    )
    assert grown_too_little("a", {"n1": 2 << 20, "n2": 1 << 20}, 1 << 20) == (
        "n2 has 1 MiB and not 2 MiB: grow the file or device there",
    )
    assert grown_too_little("a", {"n1": 0}, 1 << 20) == ("n1 reports no size: see 'lunmapctl status'",)
