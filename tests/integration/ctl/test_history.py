"""The verbs of lunmapctl for the history, as an admin uses them."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.cluster import Ctl

EXAMPLE = Path("config/lunmap.yaml").read_text()
HOST = "initiators/iqn.2026-01.org.example:host1"


@pytest.fixture
def ctl_with_history(ctl: Ctl) -> Ctl:
    """Give lunmapctl on a map of three revisions."""
    ctl("apply", "-f", "-", "-m", "the example", "--author", "ann", stdin=EXAMPLE)
    changed = EXAMPLE.replace("alias: database host", "alias: db")
    ctl("apply", "-f", "-", "-m", "shorter\nand more", "--author", "bob", stdin=changed)
    ctl("apply", "-f", "-", "--author", "ann", stdin=changed.replace("access: ro", "access: rw"))
    return ctl


def asked(ctl: Ctl, *args: str) -> Any:
    """Return the JSON output of a verb."""
    return json.loads(ctl(*args, "-o", "json").out)


def test_the_log_lists_who_when_and_why(ctl_with_history: Ctl) -> None:
    """The log is newest first, a line each, cut at -n and by object, and has everything for programs."""
    lines = ctl_with_history("log").out.splitlines()
    assert [line.split()[0] for line in lines] == ["REVISION", "3", "2", "1"]
    assert lines[2].split()[2:] == ["bob", "~1", "shorter"]
    assert [entry["revision"] for entry in asked(ctl_with_history, "log", "-n", "2")] == [3, 2]
    (first, second) = asked(ctl_with_history, "log", "--object", HOST)
    assert (first["message"], second["author"]) == ("shorter\nand more", "ann")
    assert len(asked(ctl_with_history, "log", "--object", "host1")) == 2
    gone = ctl_with_history("log", "--object", "luns/db9")
    assert "none of the kept revisions changed luns/db9" in gone.err
    assert "not the path of an object" in ctl_with_history("log", "--object", "disks/x", expect=1).err


def test_the_log_is_limited_to_a_time_and_an_author(ctl_with_history: Ctl) -> None:
    """The time is one in UTC, or so long ago; what is neither is wrong usage."""

    def numbers(*words: str) -> list[int]:
        return [entry["revision"] for entry in asked(ctl_with_history, "log", *words)]

    first = asked(ctl_with_history, "show", "1")["time"]
    assert (
        numbers("--since", first) == numbers("--since", "1h") == numbers("--since", first[:10]) == [3, 2, 1]
    )
    assert numbers("--since", "2999-01-01T00:00:00+01:00") == []
    assert (numbers("--author", "ann"), numbers("--author", "bob", "--since", "1d")) == ([3, 1], [2])
    assert "none of the kept revisions fits" in ctl_with_history("log", "--author", "eve").err
    ctl_with_history("rollback", "1", "--author", "eve@desk")
    assert numbers("--author", "eve") == numbers("--author", "eve@desk") == [4]
    assert "is not a duration" in ctl_with_history("log", "--since", "yesterday", expect=2).err


def test_show_says_what_a_revision_changed(ctl_with_history: Ctl) -> None:
    """A revision is shown with every field that it changed, from which value to which."""
    assert ctl_with_history("show", "2").out.splitlines()[3:] == [
        "message  shorter",
        "message  and more",
        f"~ {HOST}",
        '    alias: "database host" -> "db"',
    ]
    assert asked(ctl_with_history, "show", "1")["changes"][0]["kind"] == "added"
    assert "there is no revision 9: the newest one is 3" in ctl_with_history("show", "9", expect=1).err


def test_diff_compares_two_revisions(ctl_with_history: Ctl) -> None:
    """A..B shows the changes between them, B..A the opposite, A.. up to the newest."""
    assert ctl_with_history("diff", "1..2").out.splitlines() == [
        f"~ {HOST}",
        '    alias: "database host" -> "db"',
    ]
    assert ctl_with_history("diff", "2..1").out.splitlines()[1] == '    alias: "db" -> "database host"'
    assert [entry["path"] for entry in asked(ctl_with_history, "diff", "1..")] == ["luns/logs", HOST]
    (gone, come) = asked(ctl_with_history, "diff", "2..")[0]["fields"]
    assert (gone["field"], gone["before"]["access"]) == ("maps", "ro")
    assert "access" not in come["after"]
    assert "not a span of revisions" in ctl_with_history("diff", "x..2", expect=2).err


def test_a_rollback_is_committed_on_top(ctl_with_history: Ctl) -> None:
    """A rollback makes a new revision with a message; a rollback to the current map makes none."""
    answer = ctl_with_history("rollback", "1", "-m", "as it was", "--author", "ann")
    assert "committed revision 4" in answer.out.splitlines()
    assert asked(ctl_with_history, "diff", "1..4") == []
    assert ctl_with_history("rollback", "1").out == "nothing to change: the map equals revision 1\n"
    assert asked(ctl_with_history, "log")[0]["message"] == "as it was"


def test_a_rollback_that_would_harm_is_refused(ctl_with_history: Ctl) -> None:
    """A Lun that grew since does not shrink again: exit code 3, and the field is named."""
    ctl_with_history.apply(EXAMPLE.replace("64MiB", "128MiB"), wait=None)
    assert "luns[scratch].size: a Lun can't shrink" in ctl_with_history("rollback", "1", expect=3).err


def test_removals_are_confirmed(ctl_with_history: Ctl) -> None:
    """A confirmation is a revision that names the one up to which it goes; twice is once."""
    assert ctl_with_history("confirm", "2", "-m", "yes").out == "committed revision 4\n"
    assert "confirms removals up to revision 2" in ctl_with_history("show", "4").out
    assert "confirms=2" in ctl_with_history("log").out
    assert ctl_with_history("confirm", "2").out.startswith("nothing to do")
    assert "there is no revision 9" in ctl_with_history("confirm", "9", expect=1).err
