"""The options of lunmapctl that say how to connect: an empty one is never taken for one that is not given."""

import re

import pytest
from click.testing import CliRunner

from lunmapd.service.ctl.cli import ctl

OPTIONS = ("--hosts", "--chroot", "--tls-ca", "--tls-certificate", "--tls-key")
VARIABLES = [f"LUNMAPCTL_{option.removeprefix('--').replace('-', '_').upper()}" for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_empty_option_is_wrong_usage(option: str) -> None:
    """As from an unset variable of a script: the session would be without TLS, or on another tree."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", option, "", "get"])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': it is empty" in done.output


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_wrong_usage(variable: str) -> None:
    """A variable of the environment that is set to nothing is refused too."""
    done = CliRunner().invoke(ctl, ["get"], env={variable: ""})
    assert done.exit_code == 2
    assert f"{variable} is empty" in done.output


def test_files_for_tls_need_the_servers() -> None:
    """Without --hosts the settings file says how to connect: files for TLS would have no effect."""
    done = CliRunner().invoke(ctl, ["--tls-ca", "/ca.pem", "get"])
    assert done.exit_code == 2
    assert "--tls-ca" in done.output
    assert "--hosts" in done.output


def test_a_limit_that_no_history_reaches_is_wrong_usage() -> None:
    """A number that no list could be counted to is refused before anything is read."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", "log", "-n", "9" * 30])
    assert done.exit_code == 2
    assert "is not in the range" in done.output


@pytest.mark.parametrize("words", [("apply", "-f", "-"), ("rollback", "1")])
def test_a_resumed_commit_has_no_dry_run(words: tuple[str, ...]) -> None:
    """The options exclude each other: to resume is to commit."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", *words, "--resume", "-n"], input="luns: {}")
    assert done.exit_code == 2
    assert "--resume" in done.output
    assert "--dry-run" in done.output


@pytest.mark.parametrize("words", [("--first", "n2"), ("--confirm-within", "10m")])
def test_a_retirement_is_not_tried(words: tuple[str, str]) -> None:
    """It makes several commits, and a rollout would refuse the second one; the help has no such option."""
    done = CliRunner().invoke(ctl, ["--hosts", "127.0.0.1:1", "retire", "n1", *words])
    assert done.exit_code == 2
    assert re.search(f"No such option:? '?{words[0]}", done.output)
    assert words[0] not in CliRunner().invoke(ctl, ["retire", "--help"]).output
