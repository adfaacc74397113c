"""lunmapctl starts fast: what it does not need for an answer is not imported."""

import subprocess
import sys
from collections.abc import Sequence

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.start.verbs import VERBS

_HEAVY = ("cryptography", "kazoo", "lunmapd.client", "lunmapd.store", "msgspec", "yaml")
_RUN = """
import sys
sys.argv[0] = "lunmapctl"
try:
    from lunmapd.service.ctl import main
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported(*words: str) -> set[str]:
    """Return the modules that are imported when lunmapctl has run."""
    done = subprocess.run([sys.executable, "-c", _RUN, *words], capture_output=True, text=True, check=True)
    assert done.stdout
    return set(done.stderr.split())


def test_files_are_checked_without_the_libraries_of_the_tree() -> None:
    """`validate` reads YAML and checks rules; it needs neither kazoo nor cryptography nor tables."""
    found = imported("validate", "config/lunmap.yaml")
    assert "yaml" in found
    assert (
        heavy(found, ("cryptography", "kazoo", "lunmapd.client", "lunmapd.store", "lunmapd.service.table"))
        == []
    )


def heavy(found: set[str], names: Sequence[str]) -> list[str]:
    """Return those of the names that are imported, or have a module that is."""
    return [name for name in names if any(f"{module}.".startswith(f"{name}.") for module in found)]


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_the_version_and_the_help_import_click_only(word: str) -> None:
    """Neither the libraries of the verbs nor logging are imported, and of lunmapd only the list of verbs."""
    found = imported(word)
    assert "click" in found
    assert heavy(found, (*_HEAVY, "logging", "difflib")) == []
    assert {name for name in found if name.startswith("lunmapd.service.")} == {
        f"lunmapd.service.{name}"
        for name in (
            "cli",
            "ctl",
            "ctl.cli",
            "ctl.interrupts",
            "ctl.start",
            "ctl.start.lazy",
            "ctl.start.verbs",
        )
    }


def test_each_verb_has_a_command_and_a_short_summary() -> None:
    """Each verb of the list leads to a command, and its summary is whole in 80 columns."""
    context = click.Context(ctl)
    assert [name for name in VERBS if ctl.get_command(context, name) is None] == []
    listed = CliRunner().invoke(ctl, ["--help"], terminal_width=80).output
    assert [verb.summary for verb in VERBS.values() if verb.summary not in listed] == []


def test_a_misspelt_verb_is_wrong_usage_with_the_nearest_one() -> None:
    """The exit code is 2, and the message has the verb that was probably meant."""
    done = CliRunner().invoke(ctl, ["aply"])
    assert done.exit_code == 2
    assert done.output.endswith("there is no command 'aply'; did you mean 'apply'?\n")
    assert "Usage" in CliRunner().invoke(ctl, ["--unknown"]).output


def test_verbs_are_completed_without_being_imported() -> None:
    """The completion of the shells has each verb that begins so with its summary, then options."""
    complete = ShellComplete(ctl, {}, "lunmapctl", "_LUNMAPCTL_COMPLETE")
    found = [(item.value, item.help) for item in complete.get_completions([], "prob")]
    assert found == [(name, VERBS[name].summary) for name in ("probe", "probe-setup")]
    assert "--hosts" in [item.value for item in complete.get_completions([], "--ho")]
    assert [item.value for item in complete.get_completions(["probe"], "--acc")] == ["--access"]
