"""What `lun grow` states of nodes that have not the new size."""

from lunmapd.service.ctl.edits.lun import lacking_sizes


def test_a_node_without_a_report_has_nothing_to_grow() -> None:
    """Its size is unknown, and not too small."""
    assert lacking_sizes({"n1": 2 << 20, "n2": 1 << 20, "n3": 0}, 0) == (
        "n2 has 1 MiB and not 2 MiB: grow the file or device there",
        "n3 reports no size: see 'lunmapctl status'",
    )
