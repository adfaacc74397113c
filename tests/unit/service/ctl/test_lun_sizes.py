"""What `lun grow` states of nodes that have not the new size."""

from click.testing import CliRunner

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.edits.lun import lacking_sizes


def test_only_a_known_size_is_waited_for() -> None:
    """Equal sizes may be those from before the growth: without SIZE the wait would end with them."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", "lun", "grow", "db1", "--wait", "60"])
    assert done.exit_code == 2
    assert "--wait needs the new SIZE" in done.output


def test_a_node_without_a_report_has_nothing_to_grow() -> None:
    """Its size is unknown, and not too small."""
    assert lacking_sizes({"n1": 2 << 20, "n2": 1 << 20, "n3": 0}, 0) == (
        "n2 has 1 MiB and not 2 MiB: grow the file or device there",
        "n3 reports no size: see 'lunmapctl status'",
    )
