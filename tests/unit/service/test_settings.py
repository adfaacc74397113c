"""The settings file: every mistake has its line, and nothing starts half."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from lunmapd.core.errors import InvalidInputError
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
