"""Drift on a kernel: every file that can be written below lunmapd's objects, in turn."""

import re
from pathlib import Path

import msgspec
import pytest

from contract import maps
from contract.guests import run_guest
from contract.implementations import RealImplementation
from contract.maps import CLAIMS, full
from lab import Machine
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node.alua import Alua
from lunmapd.lio.worker import wire

pytestmark = pytest.mark.kernel

OPERATIONS = Path("docs/operations.md")
_MIN_REPAIRED = 50
# lunmapd's own notes. Without its mark a TPG is another tool's; only the alias knows which file was opened.
_NOTES = {"TargetAlias", "alias"}
_NEWER = {"complete_type"}  # files that 6.12 does not have


@pytest.fixture(scope="module")
def fates(machine: Machine) -> dict[str, str]:
    """Return what became of a change of each file, by its path below LIO's directory."""
    real = RealImplementation(machine)
    for name in ("a", "b"):
        real.file(f"/srv/{name}", maps.SIZE)
    grouped = maps.grouped("b", Alua(maps.TAG, AluaState.NON_OPTIMIZED))
    desired = full("a", "b") | maps.only(*grouped, maps.secret(maps.ACL, mutual=True))
    given = wire.ObservedAnswer(tuple(desired.values()), tuple(CLAIMS), (), ())
    shown = run_guest(machine, "drift_guest.py", msgspec.json.encode(given))
    real.close()
    return msgspec.json.decode(shown, type=dict[str, str])


def documented() -> set[str]:
    """Return the names of the files that are documented not to be compared."""
    section = OPERATIONS.read_text(encoding="utf-8").partition("### Files of LIO that are not compared")[2]
    rows = [line.split("|")[2] for line in section.partition("\n## ")[0].splitlines() if "|" in line]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def names(fates: dict[str, str], fate: str) -> set[str]:
    """Return the names of the files with this fate."""
    return {path.rpartition("/")[2] for path, each in fates.items() if each == fate}


def test_no_file_decides_unseen(fates: dict[str, str]) -> None:
    """Each file whose change is not noticed is documented, and no documented one is noticed everywhere."""
    there = {path.rpartition("/")[2] for path in fates}
    assert names(fates, "unnoticed") - _NOTES == documented() - (_NEWER - there)


def test_a_noticed_change_is_put_right(fates: dict[str, str]) -> None:
    """One pass gives the file the value that it had, also where the change decided about access."""
    assert names(fates, "not put back") <= _NOTES
    repaired = names(fates, "repaired")
    assert {"authentication", "AuthMethod", "alua_tg_pt_offline", "alua_tg_pt_gp", "enable"} <= repaired
    assert len([fate for fate in fates.values() if fate == "repaired"]) > _MIN_REPAIRED
