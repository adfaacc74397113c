"""`lunmapd adopt` on files: without settings, ZooKeeper, LIO and root."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.service.daemon.main import daemon
from support.saveconfigs import A
from support.saved_settings import acl_of, tpg_of, usual

NOWHERE = "/nonexistent/lunmapd.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that can be adopted wholly."""
    path = tmp_path / "saveconfig.json"
    path.write_text(json.dumps(usual()))
    return path


def run(*words: str | Path) -> Result:
    """Run the command as the shell does, without a settings file."""
    return CliRunner().invoke(daemon, ["-c", NOWHERE, *map(str, words)])


@pytest.mark.parametrize("verb", ["adopt", "plan"])
def test_help_needs_no_settings(verb: str) -> None:
    """The help of a command is there before the first settings file."""
    done = run(verb, "--help")
    assert (done.exit_code, "Usage:" in done.output) == (0, True)


def test_a_file_needs_no_settings(file: Path) -> None:
    """The map of a file is made on any machine; `--node` names the node."""
    done = run("adopt", "--from", file, "--node", "store7")
    assert (done.exit_code, "  store7:\n    tpg_tag: 1" in done.output) == (0, True)
    assert run("adopt", "--from", file).exit_code == 0


def test_the_settings_name_the_node_if_they_are_there(file: Path) -> None:
    """On the node itself the name is that of its settings."""
    settings = file.with_name("lunmapd.yaml")
    settings.write_text("node: n5\nzookeeper: {hosts: [10.0.0.1:2181]}\n")
    done = CliRunner().invoke(daemon, ["-c", str(settings), "adopt", "--from", str(file)])
    assert "  n5:\n    tpg_tag: 1" in done.output


def test_no_map_is_printed_if_no_target_can_be_taken_over(file: Path) -> None:
    """An empty map, applied as documented, would remove the node: exit 6, and only comments are printed."""
    odd = usual()
    tpg_of(odd)["enable"] = False
    file.write_text(json.dumps(odd))
    done = run("adopt", "--from", file)
    assert done.exit_code == 6
    assert all(line.startswith("#") for line in done.output.splitlines())
    assert f"# not taken over: {A}: its TPG is disabled" in done.output
    shown = run("adopt", "--from", file, "-o", "json")
    assert (shown.exit_code, json.loads(shown.output)["map"]) == (
        6,
        {"luns": {}, "targets": {}, "initiators": {}, "groups": {}, "nodes": {}},
    )


def test_notes_and_missing_passwords_are_in_the_head(file: Path) -> None:
    """Also those of discovery, and in JSON as a list."""
    odd = usual()
    tpg_of(odd)["portals"].append({"port": 3260})
    odd["fabric_modules"] = [
        {"name": "iscsi", "discovery_enable_auth": True, "discovery_userid": "d", "discovery_password": "e"}
    ]
    file.write_text(json.dumps(odd))
    head = [line for line in run("adopt", "--from", file).output.splitlines() if line.startswith("#")]
    assert any(line.startswith("# note: targets[0].tpgs[0].portals[1] has no ip_address") for line in head)
    assert any("CHAP passwords are missing" in line for line in head)
    assert len(json.loads(run("adopt", "--from", file, "-o", "json").output)["notes"]) == 1


def test_a_file_is_compared_with_a_map_file(file: Path) -> None:
    """Exit 0 without a difference, else 6 with each of them."""
    lunmap = file.with_name("map.yaml")
    lunmap.write_text(run("adopt", "--from", file, "--node", "n1").output)
    done = run("adopt", "--from", file, "--check", "--map", lunmap, "--node", "n1")
    assert (done.exit_code, "the plan is empty: 1 targets are as in the map" in done.output) == (0, True)
    odd = usual()
    acl_of(odd)["mapped_luns"][0]["index"] = 4
    file.write_text(json.dumps(odd))
    done = run("adopt", "--from", file, "--check", "--map", lunmap, "--node", "n1")
    assert done.exit_code == 6
    assert f"differs: create mapped_lun {A} 1" in done.output


def test_a_map_file_with_a_mistake_is_refused(file: Path) -> None:
    """The mistake has the name of the map file and its line."""
    lunmap = file.with_name("map.yaml")
    lunmap.write_text("luns: {}\ntargts: {}\n")
    done = run("adopt", "--from", file, "--check", "--map", lunmap)
    assert isinstance(done.exception, InvalidInputError)
    assert str(done.exception).startswith(f"{lunmap}:2: targts")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--from", "x", "--take"), "omit --from"),
        (("--check", "--take"), "--take checks"),
        (("--check", "--seal"), "--seal is for the map"),
        (("--take", "--seal"), "--seal is for the map"),
        (("--map", "x"), "--map is for --from with --check"),
        (("--node", "n1"), "--node is for --from"),
        (("--from", "x", "--check", "--node", "n1"), "--node is for --from"),
    ],
)
def test_options_that_would_be_ignored_are_refused(words: tuple[str, ...], sentence: str) -> None:
    """Wrong usage is exit 2."""
    done = run("adopt", *words)
    assert (done.exit_code, sentence in done.output) == (2, True)
