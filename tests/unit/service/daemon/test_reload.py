"""Reading the settings again: what changes at once, and what waits."""

from lunmapd.service.daemon.reload import merge_settings
from lunmapd.service.settings import parse_settings

BASE = "node: n1\nzookeeper:\n  hosts: ['a:1']\n"


def test_what_can_change_changes_and_the_rest_is_named() -> None:
    """Intervals and limits are applied; other settings stay, each named by its place in the file."""
    old = parse_settings(BASE, "x")
    new = parse_settings(
        BASE.replace("n1", "n2")
        + "  deadline: 3\nresync: 7\nremoval_limit: 1\nisolation: {after: 60}\ndrift: {lun: report}\n",
        "x",
    )
    merged, waiting = merge_settings(old, new)
    assert (merged.resync, merged.removal_limit) == (7, 1)
    assert merged.policy().report == {"lun"}
    assert (merged.node, merged.zookeeper, merged.isolation) == ("n1", old.zookeeper, None)
    assert sorted(waiting) == ["isolation", "node", "zookeeper.deadline"]


def test_unchanged_settings_name_nothing() -> None:
    """Reading the same file again changes nothing and logs nothing."""
    assert merge_settings(parse_settings(BASE, "x"), parse_settings(BASE, "x")) == (
        parse_settings(BASE, "x"),
        (),
    )
