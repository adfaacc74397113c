"""Which warnings of a map are shown before its commit."""

import pytest
from msgspec.structs import replace

from lunmapd.client import Lunmap, Problem, Proposal
from lunmapd.core.base.lunmap import Map, PortalGroup, Target
from lunmapd.core.history.changes import diff_maps
from lunmapd.service.ctl.commit.steps import warn_of_changes, warn_of_file
from lunmapd.store.tree.snapshot import Snapshot
from support.small_map import LUN, MAP, H, T

MANY = replace(MAP, luns={f"l{number}": replace(LUN, serial=f"{number:032}") for number in range(9)})
"""Each Lun has a warning: two nodes serve its file."""


def propose(before: Lunmap, after: Lunmap) -> Proposal:
    """Return what is to be committed."""
    return Proposal(Snapshot("c", 1, "d", "d", 0, before), after, diff_maps(before, after))


def with_lun(number: int) -> Lunmap:
    """Return the map in which the first Lun is mapped at a number."""
    return replace(MANY, luns={**MANY.luns, "l0": replace(MANY.luns["l0"], maps=(Map(T, number, H),))})


def test_a_file_repeats_no_warning_of_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """The warnings of the changed Lun have the lines of the file; those of the others are a number."""
    warn_of_file(propose(MANY, with_lun(300)), lambda place, message: Problem(place, message, "f:7"))
    first, second, others = capsys.readouterr().err.splitlines()
    assert first.startswith("lunmapctl: warning: f:7: luns[l0].backing: several nodes serve this file")
    assert second.startswith("lunmapctl: warning: f:7: luns[l0].maps[0].lun: 300 is above 255")
    assert others == (
        "lunmapctl: 8 warnings of unchanged objects left out: see 'lunmapctl get | lunmapctl validate -'"
    )
    warn_of_file(propose(MANY, MANY), Problem)
    assert capsys.readouterr().err.startswith("lunmapctl: 9 warnings of unchanged objects left out")


def test_a_verb_shows_the_warnings_of_what_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the other Luns it shows nothing."""
    warn_of_changes(propose(MANY, with_lun(300)))
    shown = capsys.readouterr().err
    assert shown.count("warning") == shown.count("luns[l0]") == 2
    warn_of_changes(propose(MANY, MANY))
    assert capsys.readouterr().err == ""


def test_a_new_warning_of_an_unchanged_lun_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A second node of the target serves the files of its Luns too."""
    alone = replace(MANY, targets={T: Target({"n1": PortalGroup(1)})})
    warn_of_changes(propose(alone, MANY))
    assert "luns[l0].backing: several nodes serve this file" in (shown := capsys.readouterr().err)
    assert "(8 more such: luns[l1].backing, luns[l2].backing, luns[l3].backing and 5 more)" in shown
