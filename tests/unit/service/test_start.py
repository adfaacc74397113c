"""lunmapctl starts fast: what it does not need for an answer is not imported."""

import subprocess
import sys
from collections.abc import Sequence

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from lunmapd import client
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


# The rooms that a verb needs to connect, and its own words, in place of all operations of the client.
_OPERATIONS = (
    "lunmapd.agent",
    "lunmapd.core.conversion",
    "lunmapd.core.forecast",
    "lunmapd.core.map.rules",
    "lunmapd.core.map.source",
    "lunmapd.core.probe",
    "lunmapd.service.settings",
    "lunmapd.store.commit.commit",
    "lunmapd.store.upkeep",
    "cryptography",
    "jinja2",
    "tabulate",
    "waitress",
    "yaml",
)


def _started(module: str) -> set[str]:
    """Return the modules that are imported when a verb of lunmapctl is about to connect by `--hosts`."""
    code = f"import sys, lunmapd.service.ctl.{module}, lunmapd.service.ctl.connect; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["acl", "edit", "get", "history", "override", "status", "upkeep"])
def test_a_verb_imports_its_operations_when_it_does_them(module: str) -> None:
    """A verb connects without the rules, the forecast, commits, upkeep, settings and the reader of YAML."""
    assert heavy(_started(module), _OPERATIONS) == []


def test_the_help_of_the_page_needs_none_of_its_libraries() -> None:
    """They may be missing, and manual pages are made of the help."""
    assert heavy(imported("serve", "--help"), ("jinja2", "kazoo", "waitress")) == []


def test_a_verb_that_reads_imports_neither_commits_nor_the_status_of_nodes() -> None:
    """`get` needs the map only."""
    found = _started("get")
    assert "lunmapd.store.tree.read" in found
    kept_out = (
        "lunmapd.client.fleet",
        "lunmapd.client.file_merge",
        "lunmapd.core.fleet",
        "lunmapd.core.node",
    )
    assert heavy(found, (*kept_out, "lunmapd.core.planning", "lunmapd.core.map.rules")) == []


def test_each_public_name_is_found_in_its_module() -> None:
    """The table of modules has the names of `__all__`, each of which can be imported; others are refused."""
    assert sorted(client._HOMES) == sorted(client.__all__) == dir(client)
    assert [name for name in client.__all__ if not hasattr(client, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        client.Nothing  # noqa: B018 - reading it is what is tested


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
            "ctl.start.completion",
            "ctl.start.examples",
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
