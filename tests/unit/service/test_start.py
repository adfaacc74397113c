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


# What a verb imports while its session connects, or not at all: the edits of the map, what shows and commits
# them, and whatever reads the tree. A verb that reads a file first needs some of it for that.
_OPERATIONS = (
    "cryptography",
    "jinja2",
    "waitress",
    "yaml",
    "lunmapd.agent",
    "lunmapd.core.adoption",
    "lunmapd.core.conversion",
    "lunmapd.core.edits",
    "lunmapd.core.explain",
    "lunmapd.core.fleet",
    "lunmapd.core.floating",
    "lunmapd.core.forecast",
    "lunmapd.core.history",
    "lunmapd.core.map",
    "lunmapd.core.node",
    "lunmapd.core.planning",
    "lunmapd.core.probe",
    "lunmapd.core.secrets",
    "lunmapd.service.ctl.commit.consent",
    "lunmapd.service.ctl.commit.steps",
    "lunmapd.service.ctl.commit.waiting",
    "lunmapd.service.ctl.edits.run",
    "lunmapd.service.ctl.files.map_file",
    "lunmapd.service.ctl.files.map_text",
    "lunmapd.service.settings",
    "lunmapd.store.commit",
    "lunmapd.store.tree",
    "lunmapd.store.upkeep",
)
_MOST_MODULES = 66
"""Of lunmapd; each takes 0.2 ms, the three libraries together 70 ms."""

# A verb ends with code 7 after the point where it connects: the CA of the servers can't be read. Each runs in
# a child of a process that has the libraries only.
_UP_TO_CONNECT = """
import os, sys
import click, kazoo.client, msgspec
for line in sys.stdin.read().splitlines():
    if os.fork() == 0:
        sys.argv = ["lunmapctl", "--hosts", "127.0.0.1:1", "--tls-ca", "/nonexistent", *line.split()]
        try:
            from lunmapd.service.ctl import main
            main()
        except SystemExit as end:
            print(end.code, line, *(name for name in sys.modules if name.startswith("lunmapd")), sep="|")
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.wait()
"""
_STARTED = (
    "acl show",
    "confirm",
    "diff 0 1",
    "drain n1",
    "edit",
    "explain host1",
    "float list",
    "float set t g failback=manual",
    "get luns db1",
    "group add web host1",
    "host add h1",
    "init",
    "lun create db2 /dev/db2 --to h1",
    "lun set db1 size=1GiB",
    "map db1 host1",
    "node set n1 labels.rack=r1",
    "override none",
    "plan unmap db1 host1",
    "retire n1",
    "revert 1",
    "rollback 1",
    "rollout show",
    "status --luns",
    "target set t alias=san",
    "trim",
)


def test_the_help_of_the_page_needs_none_of_its_libraries() -> None:
    """They may be missing, and manual pages are made of the help."""
    assert heavy(imported("serve", "--help"), ("jinja2", "kazoo", "waitress")) == []


def test_a_verb_imports_its_operations_while_it_connects() -> None:
    """Until then it has imported neither edits, rules, status, commits nor YAML, and few modules."""
    done = subprocess.run(
        [sys.executable, "-c", _UP_TO_CONNECT],
        input="\n".join(_STARTED),
        capture_output=True,
        text=True,
        check=True,
    )
    found = {line: modules for _, line, *modules in (each.split("|") for each in done.stdout.splitlines())}
    assert [each.split("|")[0] for each in done.stdout.splitlines()] == ["7"] * len(_STARTED)
    assert [(line, heavy(set(found[line]), _OPERATIONS)) for line in _STARTED] == [
        (line, []) for line in _STARTED
    ]
    assert {line: len(found[line]) for line in _STARTED if len(found[line]) > _MOST_MODULES} == {}


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
