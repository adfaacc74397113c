"""The settings file: every mistake has its line, and nothing starts half."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from lunmapd.agent.policy import Policy
from lunmapd.core.errors import InvalidInputError
from lunmapd.core.guard import Limits
from lunmapd.service.daemon import daemon
from lunmapd.service.settings import SettingsUnreadableError, load, parse

GOOD = "node: n1\nzookeeper:\n  hosts: [10.0.0.1:2181]\n"
EXAMPLE = Path("config/lunmapd.yaml")


def test_the_example_is_valid_and_shows_the_defaults() -> None:
    """The example file passes the check, and what it sets beyond node and hosts are the defaults."""
    example = load(EXAMPLE)
    minimal = parse(f"node: n1\nzookeeper: {{hosts: {list(example.zookeeper.hosts)}}}", "x")
    assert example == minimal


def test_the_node_defaults_to_the_host_name() -> None:
    """Without `node` the host's name up to the first dot is taken."""
    assert "." not in parse("zookeeper: {hosts: [a:1]}", "x").node


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x:1: (top level): missing required field 'zookeeper'"),
        (GOOD + "nodee: n2\n", "x:4: nodee: unknown field; did you mean 'node'?"),
        (GOOD + "  host: n2\n", "x:4: zookeeper.host: unknown field; did you mean 'hosts'?"),
        (GOOD.replace("n1", "n/1"), "x:1: node: 'n/1' is not a name"),
        (GOOD.replace("10.0.0.1:2181", "10.0.0.1"), "x:3: zookeeper.hosts[0]: '10.0.0.1' is not a server"),
        (GOOD.replace("10.0.0.1:2181", ""), "x:3: zookeeper.hosts: name at least one server"),
        (GOOD + "  chroot: lunmap\n", "x:4: zookeeper.chroot: 'lunmap' is not the path of a znode"),
        (GOOD + "  deadline: 0\n", "x:4: zookeeper.deadline: 0 is not a usable time"),
        (GOOD + "retry: soon\n", "x:4: retry: expected 'float', got 'str'"),
        (GOOD + "retry: nan\n", "x:4: retry: nan is not a usable time"),
        (GOOD + "full_read: 0\n", "x:4: full_read: 0 is not a usable time"),
        (GOOD + "snapshot_max_age: -1\n", "x:4: snapshot_max_age: -1 is out of range: use 0 to 315360000"),
        (GOOD + "removal_limit: 25\n", "x:4: removal_limit: 25 is out of range: use 0 to 1"),
        (GOOD + "removal_limit: nan\n", "x:4: removal_limit: nan is out of range"),
        (GOOD + "removal_minimum: -1\n", "x:4: removal_minimum: -1 is out of range"),
        (GOOD + "removal_minimum: 0.5\n", "x:4: removal_minimum: expected 'int'"),
        (GOOD + "metrics: {listen: 9810}\n", "x:4: metrics.listen: '9810' is not an address and a port"),
        (
            GOOD + "metrics: {listen: 'fd00::1:9810'}\n",
            "x:4: metrics.listen: 'fd00::1:9810' is not an address",
        ),
        (GOOD + "metrics: {listen: '[::1]:0'}\n", "x:4: metrics.listen: '[::1]:0' is not an address"),
        (GOOD + "isolation: {}\n", "x:4: isolation: missing required field 'after'"),
        (
            GOOD + "isolation: {after: 10}\n",
            "x:4: isolation.after: 10 is not more than the session_timeout of 10",
        ),
        (GOOD + "isolation: {after: 1e9}\n", "x:4: isolation.after: 1e+09 is not a usable time"),
        (GOOD + "state_dir: var\n", "x:4: state_dir: must be an absolute path"),
        (GOOD + "node: n2\n", "x:4: node: is already given in line 1"),
        ("[]", "x:1: (top level): expected 'object', got 'array'"),
    ],
)
def test_bad_settings_are_refused_with_their_line(text: str, message: str) -> None:
    """Each mistake is one problem that names file, line and key."""
    with pytest.raises(InvalidInputError) as caught:
        parse(text, "x")
    assert str(caught.value).startswith(message)
    assert len(caught.value.problems) == 1


def test_all_wrong_values_come_at_once() -> None:
    """Two wrong values give two problems."""
    with pytest.raises(InvalidInputError) as caught:
        parse(GOOD + "retry: 0\nresync: -1\n", "x")
    assert len(caught.value.problems) == 2


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A file that can't be read is named, with where an example is."""
    with pytest.raises(SettingsUnreadableError, match="no-such"):
        load(tmp_path / "no-such.yaml")


def test_check_config_accepts_the_example_and_refuses_a_bad_file(tmp_path: Path) -> None:
    """`lunmapd --check-config` is 0 for good settings and raises the invalid-input error for bad ones."""
    good = CliRunner().invoke(daemon, ["--check-config", "-c", str(EXAMPLE)])
    assert (good.exit_code, good.output.split(":")[0]) == (0, str(EXAMPLE))
    bad = tmp_path / "bad.yaml"
    bad.write_text("nodes: 1")
    assert isinstance(
        CliRunner().invoke(daemon, ["--check-config", "-c", str(bad)]).exception, InvalidInputError
    )


def test_the_settings_become_a_policy() -> None:
    """What the file says of following the map reaches the agent; without isolation a node keeps serving."""
    text = (
        "full_read: 60\nsnapshot_max_age: 0\nremoval_limit: 0.5\nremoval_minimum: 9\nisolation: {after: 30}\n"
    )
    assert parse(GOOD + text, "x").policy() == Policy(Limits(0.5, 9), 30.0, 0.0, 60.0, 60.0)
    assert parse(GOOD, "x").policy() == Policy(audit=60.0)
