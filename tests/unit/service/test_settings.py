"""The settings file: every mistake has its line, and nothing starts half."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.errors import Exit, InvalidInputError
from lunmapd.core.planning.drift import CLASSES
from lunmapd.core.planning.guard import RemovalLimits
from lunmapd.service.daemon.main import daemon
from lunmapd.service.settings import SettingsUnreadableError, load_settings, parse_settings

GOOD = "node: n1\nzookeeper:\n  hosts: [10.0.0.1:2181]\n"
EXAMPLE = Path("config/lunmapd.yaml")


def test_the_example_is_valid_and_shows_the_defaults() -> None:
    """The example file passes the check, and its values beyond node and hosts are the defaults."""
    example = load_settings(EXAMPLE)
    minimal = parse_settings(f"node: n1\nzookeeper: {{hosts: {list(example.zookeeper.hosts)}}}", "x")
    assert example == minimal


def test_what_the_example_leaves_out_is_valid() -> None:
    """The commented lines, except one of two alternatives for a password, are valid settings as they are."""
    text = re.sub(r"^( *)#(?! \S)(?!digest)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    settings = parse_settings(text, str(EXAMPLE))
    zookeeper = settings.zookeeper
    assert None not in {settings.isolation, settings.metrics, zookeeper.sasl, zookeeper.tls}


def test_servers_are_names_or_addresses() -> None:
    """Names, IPv4 addresses and IPv6 addresses in brackets are accepted as servers, with any valid port."""
    hosts = ("zk1.example.org:1", "10.0.0.1:65535", "[fd00::1]:2181")
    assert parse_settings(f"zookeeper: {{hosts: {list(hosts)}}}", "x").zookeeper.hosts == hosts


def test_the_node_defaults_to_the_host_name() -> None:
    """Without `node` the host's name up to the first dot is taken."""
    assert "." not in parse_settings("zookeeper: {hosts: [a:1]}", "x").node


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x:1: (top level): missing required field 'zookeeper'"),
        (GOOD + "nodee: n2\n", "x:4: nodee: unknown field; did you mean 'node'?"),
        (GOOD + "  host: n2\n", "x:4: zookeeper.host: unknown field; did you mean 'hosts'?"),
        (GOOD.replace("n1", "n/1"), "x:1: node: 'n/1' is not a name"),
        (GOOD.replace("10.0.0.1:2181", "10.0.0.1"), "x:3: zookeeper.hosts[0]: '10.0.0.1' is not a server"),
        *(
            (GOOD.replace("10.0.0.1:2181", f"'{host}'"), f"x:3: zookeeper.hosts[0]: {host!r} is not a server")
            for host in (
                "a:99999",
                "a:65536",
                "a:0",
                "a:x",
                ":1",
                "a b:1",
                "fd00::1:1",
                "[a]:1",
                "u@a:1",
                "a?:1",
            )
        ),
        (GOOD.replace("10.0.0.1:2181", ""), "x:3: zookeeper.hosts: name at least one server"),
        (GOOD + "  chroot: lunmap\n", "x:4: zookeeper.chroot: 'lunmap' is not the path of a znode"),
        (GOOD + "  chroot: /a/../b\n", "x:4: zookeeper.chroot: '/a/../b' is not the path of a znode"),
        (GOOD + "  chroot: /.\n", "x:4: zookeeper.chroot: '/.' is not the path of a znode"),
        (GOOD + '  chroot: "/a\\u0001b"\n', "x:4: zookeeper.chroot: '/a\\x01b' is not the path of a znode"),
        (GOOD + "  deadline: 0\n", "x:4: zookeeper.deadline: 0 is not a usable time"),
        (GOOD + "retry: soon\n", "x:4: retry: expected a number, got 'soon'"),
        (GOOD + "retry: nan\n", "x:4: retry: nan is not a usable time"),
        (GOOD + "full_read: 0\n", "x:4: full_read: 0 is not a usable time"),
        (GOOD + "snapshot_max_age: -1\n", "x:4: snapshot_max_age: -1 is out of range: use 0 to 315360000"),
        (
            GOOD + "resync: 90\nsnapshot_max_age: 90\n",
            "x:5: snapshot_max_age: 90 is not more than the resync of 90: the age of a snapshot is updated at each pass only",
        ),
        (GOOD + "removal_limit: 25\n", "x:4: removal_limit: 25 is out of range: use 0 to 1"),
        (GOOD + "removal_limit: nan\n", "x:4: removal_limit: nan is out of range"),
        (GOOD + "removal_minimum: -1\n", "x:4: removal_minimum: -1 is out of range"),
        (GOOD + "removal_minimum: 0.5\n", "x:4: removal_minimum: expected a whole number, got '0.5'"),
        (GOOD + "drift: repare\n", "x:4: drift: must be repair or report"),
        (GOOD + "drift: {lun: []}\n", "x:4: drift.lun: expected text, got a list"),
        (GOOD + "drift: {lun: leave}\n", "x:4: drift.lun: must be repair or report"),
        (
            GOOD + "drift:\n  lun: report\n  luns: report\n",
            "x:6: drift.luns: unknown field; did you mean 'lun'?",
        ),
        (GOOD + "drift: [report]\n", "x:4: drift: expected a mapping or text, got a list"),
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
        ("[]", "x:1: (top level): expected a mapping with zookeeper, got a list"),
        (
            GOOD + "session_timeout: 5\n",
            "x:4: session_timeout: unknown field; did you mean 'zookeeper.session_timeout'?",
        ),
        (
            GOOD + "verify_hostname: true\n",
            "x:4: verify_hostname: unknown field; did you mean 'zookeeper.tls.verify_hostname'?",
        ),
        (GOOD + "xyzzy: 1\n", "x:4: xyzzy: unknown field"),
        (GOOD + "allow: other-data\n", "x:4: allow: no setting allows it: a host would write to another Lun"),
        (
            GOOD + "allow: all\n",
            "x:4: allow: must be one of none, unit-attention, path-loss, session-drop, data-",
        ),
        (GOOD.replace("zookeeper:", "zokeeper:"), "x:2: zokeeper: unknown field; did you mean 'zookeeper'?"),
        (GOOD.replace("hosts:", "hots:"), "x:3: zookeeper.hots: unknown field; did you mean 'hosts'?"),
        ("node: n1\nzookeeper:\n", "x:2: zookeeper: expected a mapping with hosts, got nothing"),
        ("node: n1\nzookeeper: here\n", "x:2: zookeeper: expected a mapping with hosts, got text"),
        ("node: n1\nzookeeper: {chroot: /a}\n", "x:2: zookeeper: missing required field 'hosts'"),
        (
            GOOD.replace("[10.0.0.1:2181]", "10.0.0.1:2181"),
            "x:3: zookeeper.hosts: expected a list, got text",
        ),
        (GOOD.replace("10.0.0.1:2181", "[a]"), "x:3: zookeeper.hosts[0]: expected text, got a list"),
        (GOOD + "metrics: on\n", "x:4: metrics: expected a mapping with listen, got text"),
        (
            GOOD + "metrics: {listne: 1}\nisolation:\n",
            "x:4: metrics.listne: unknown field; did you mean 'listen'?",
        ),
        (GOOD + "  tls: {ca: [a], key: /k}\n", "x:4: zookeeper.tls.ca: expected text, got a list"),
        (GOOD + "<<: {retry: 5}\n", "x:4: <<: unknown field"),
        (
            GOOD + "retry:\t5\n",
            "x:4: (top level): not valid YAML: while scanning for the next token, found character '\\t'",
        ),
        (GOOD + "\tretry: 5\n", "x:4: (top level): not valid YAML: while scanning"),
        (GOOD + "retry: [5\n", "x:5: (top level): not valid YAML: while parsing a flow sequence"),
        (GOOD + "---\nretry: 5\n", "x:4: (top level): not valid YAML: expected a single document"),
    ],
)
def test_bad_settings_are_refused_with_their_line(text: str, message: str) -> None:
    """Each mistake is one problem that names file, line and key."""
    with pytest.raises(InvalidInputError) as caught:
        parse_settings(text, "x")
    assert str(caught.value).startswith(message)
    assert len(caught.value.problems) == 1


def test_all_mistakes_come_at_once_in_the_order_of_their_lines() -> None:
    """Wrong keys, types and values, and duplicates are all reported with their lines, none hides another."""
    text = """\
nodee: n1
zookeeper:
  hosts: [10.0.0.1, [], 10.0.0.3:2181]
  chrot: /lunmap
  deadline: soon
  session_timeout: 0
  tls:
    ca: ca.pem
    certificate: /c
retry: 0
retry: 5
resync: -1
metrics: {listne: 1}
isolation: {after: x}
"""
    with pytest.raises(InvalidInputError) as caught:
        parse_settings(text, "x")
    told = [str(problem).removeprefix("x:").split(": ")[:2] for problem in caught.value.problems]
    assert [" ".join(words) for words in told] == [
        "1 nodee",
        "3 zookeeper.hosts[1]",
        "3 zookeeper.hosts[0]",
        "4 zookeeper.chrot",
        "5 zookeeper.deadline",
        "6 zookeeper.session_timeout",
        "7 zookeeper.tls",
        "8 zookeeper.tls.ca",
        "10 retry",
        "11 retry",
        "12 resync",
        "13 metrics.listne",
        "14 isolation.after",
    ]


def test_what_is_wrong_is_not_told_twice() -> None:
    """A value that can't be read is not also called missing, out of range or at odds with another."""
    with pytest.raises(InvalidInputError) as caught:
        parse_settings("zookeeper: {hosts: x, session_timeout: y}\nisolation: {after: 5}\n", "x")
    assert [problem.place for problem in caught.value.problems] == [
        ("zookeeper", "hosts"),
        ("zookeeper", "session_timeout"),
        ("isolation", "after"),
    ]


def test_files_are_checked_beside_all_else(tmp_path: Path) -> None:
    """A wrong value does not hide a file that is missing."""
    path = tmp_path / "lunmapd.yaml"
    path.write_text(GOOD + f"  tls: {{ca: {tmp_path}/ca.pem}}\nretry: 0\n")
    with pytest.raises(InvalidInputError) as caught:
        load_settings(path)
    assert [problem.place for problem in caught.value.problems] == [("zookeeper", "tls", "ca"), ("retry",)]


def test_bytes_that_are_no_text_have_their_line(tmp_path: Path) -> None:
    """A file in another encoding than UTF-8 has the line of its first wrong byte."""
    path = tmp_path / "lunmapd.yaml"
    path.write_bytes(GOOD.encode() + "# Gr\u00f6\u00dfe\n".encode("latin-1"))
    with pytest.raises(InvalidInputError) as caught:
        load_settings(path)
    assert str(caught.value) == f"{path}:4: (top level): not UTF-8: byte 0xf6"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A file that can't be read is named, with where an example is."""
    with pytest.raises(SettingsUnreadableError, match="no-such"):
        load_settings(tmp_path / "no-such.yaml")


def test_check_config_accepts_the_example_and_refuses_a_bad_file(tmp_path: Path) -> None:
    """`lunmapd --check-config` is 0 for good settings and raises the invalid-input error for bad ones."""
    good = CliRunner().invoke(daemon, ["--check-config", "-c", str(EXAMPLE)])
    assert (good.exit_code, good.output.split(":")[0]) == (0, str(EXAMPLE))
    bad = tmp_path / "bad.yaml"
    bad.write_text("nodes: 1")
    assert isinstance(
        CliRunner().invoke(daemon, ["--check-config", "-c", str(bad)]).exception, InvalidInputError
    )


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        (b"", 0o644, "its mode 0644 gives others access"),
        (b"hello\n", 0o600, "secrets.key:1: not a key: expected 32 bytes in base64"),
    ],
)
def test_check_config_reads_the_keys(tmp_path: Path, text: bytes, mode: int, sentence: str) -> None:
    """An unusable key file is reported by the check, with its line; a missing one is no problem."""
    key_file, path = tmp_path / "secrets.key", tmp_path / "lunmapd.yaml"
    path.write_text(f"{GOOD}key_file: {key_file}\n")
    assert CliRunner().invoke(daemon, ["--check-config", "-c", str(path)]).exit_code == 0
    key_file.write_bytes(text)
    key_file.chmod(mode)
    told = CliRunner().invoke(daemon, ["--check-config", "-c", str(path)]).exception
    assert isinstance(told, InvalidInputError)
    assert str(told).startswith(f"{path}:4: key_file: ")
    assert sentence in str(told)


def test_a_key_file_that_cannot_be_used_keeps_nobody_from_the_settings(tmp_path: Path) -> None:
    """The daemon and lunmapctl go on without the keys: only the check asks for them."""
    key_file, path = tmp_path / "secrets.key", tmp_path / "lunmapd.yaml"
    key_file.write_text("hello\n")
    path.write_text(f"{GOOD}key_file: {key_file}\n")
    assert load_settings(path).key_file == str(key_file)


@pytest.mark.parametrize("options", [("--check-config",), (), ("--once",), ("plan",), ("adopt",)])
def test_bad_settings_end_every_command_before_it_begins(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The exit code is 3, each problem is a line on standard error, and nothing was made or reached for."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(GOOD + f"state_dir: {tmp_path}/state\nretry: 0\nnodes: 1\n")
    done = run_daemon("-c", str(bad), *options)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        f"lunmapd: {bad}:5: retry: 0 is not a usable time: use seconds, from 0.1 to 86400",
        f"lunmapd: {bad}:6: nodes: unknown field; did you mean 'node'?",
    ]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("options", [("--check-config",), (), ("--once",), ("plan",)])
def test_files_that_cannot_be_used_have_an_exit_code_of_their_own(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A missing file may come later: the exit code is 7, but 3 if the settings themselves are wrong."""
    path = tmp_path / "lunmapd.yaml"
    late = f"{GOOD}  tls: {{ca: {tmp_path}/ca.pem}}\n  digest: {{user: n1, password_file: {tmp_path}/no}}\n"
    path.write_text(f"{late}state_dir: {tmp_path}/state\n")
    done = run_daemon("-c", str(path), *options)
    assert (done.returncode, done.stderr.count("no such file or directory")) == (7, 2)
    path.write_text(f"{late}state_dir: {tmp_path}/state\nretry: 0\n")
    assert run_daemon("-c", str(path), *options).returncode == 3
    assert not (tmp_path / "state").exists()


def test_the_service_manager_restarts_for_a_file_that_may_come() -> None:
    """The unit gives up for wrong usage and wrong settings only."""
    unit = Path("packaging/systemd/lunmapd.service").read_text()
    assert f"\nRestartPreventExitStatus={Exit.USAGE:d} {Exit.INVALID:d}\n" in unit
    assert "\nRestart=always\n" in unit


def test_check_config_tells_by_its_exit_code(tmp_path: Path) -> None:
    """0 for a good file, whose node and servers it prints, 1 for an unreadable one, 2 for wrong usage."""
    good = run_daemon("--check-config", "-c", str(EXAMPLE))
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"{EXAMPLE}: node n1, ZooKeeper at 10.0.0.11:2181,")
    missing = run_daemon("--check-config", "-c", str(tmp_path / "none"))
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("lunmapd: can't read the settings: ")
    assert run_daemon("--check-confg").returncode == 2


def run_daemon(*words: str) -> subprocess.CompletedProcess[str]:
    """Run lunmapd as a shell would."""
    program = str(Path(sys.executable).with_name("lunmapd"))
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", set()),
        ("drift: repair\n", set()),
        ("drift: report\n", set(CLASSES)),
        ("drift: {}\n", set()),
        ("drift: {mapped_lun: report, acl: report, tpg: repair}\n", {"mapped_lun", "acl"}),
    ],
)
def test_drift_is_one_word_or_one_for_each_class(text: str, reported: set[str]) -> None:
    """A class that is not named is repaired, and the classes are those of the core."""
    assert parse_settings(GOOD + text, "x").policy().report == reported


def test_the_settings_become_a_policy() -> None:
    """The file's settings reach the agent; without isolation a node keeps serving."""
    text = (
        "full_read: 60\nsnapshot_max_age: 0\nremoval_limit: 0.5\nremoval_minimum: 9\nisolation: {after: 30}\n"
    )
    assert parse_settings(GOOD + text, "x").policy() == Policy(RemovalLimits(0.5, 9), 30.0, 0.0, 60.0, 60.0)
    assert parse_settings(GOOD + "retry: 7\n", "x").policy() == Policy(audit=60.0, retry=7.0)
    assert parse_settings(GOOD, "x").policy() == Policy(audit=60.0)


@pytest.mark.parametrize("section", ["tls", "sasl", "digest"])
def test_an_empty_section_is_refused(section: str) -> None:
    """A section without keys would mean a session in plain text, or without a login."""
    with pytest.raises(InvalidInputError, match=rf"x:4: zookeeper\.{section}: it is empty"):
        parse_settings(f"{GOOD}  {section}:\n", "x")
