"""The kernel's files of persistent reservations."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from lunmapd.lio.base import reservation_files as files
from lunmapd.lio.base.reservation_files import SavedRegistration, SavedRegistrations

T = "iqn.2026-01.org.example:san"
H1, H2 = "iqn.2026-01.org.example:host1", "iqn.2026-01.org.example:host2"
FIRST = f"""PR_REG_START: 0
initiator_fabric=iSCSI
initiator_node={H1}
initiator_sid=00023d000001
sa_res_key=2748
res_holder=1
res_type=05
res_scope=00
res_all_tg_pt=0
mapped_lun=4
target_fabric=iSCSI
target_node={T}
tpgt=1
port_rtpi=3
target_lun=7
PR_REG_END: 0
"""
SECOND = f"""PR_REG_START: 1
initiator_fabric=iSCSI
initiator_node={H2}
sa_res_key=11
res_holder=0
res_all_tg_pt=0
mapped_lun=5
target_fabric=iSCSI
target_node={T}
tpgt=1
port_rtpi=3
target_lun=7
PR_REG_END: 1
"""
NONE = "No Registrations or Reservations"


def only(text: str) -> SavedRegistration:
    """Return the one registration of a file."""
    (found,) = files.parse_registrations(text).registrations
    return found


def test_the_registrations_of_a_file_are_read() -> None:
    """Initiator, key, place, and who holds the reservation; the kernel ends a file with a NUL."""
    first, second = files.parse_registrations(f"{FIRST}{SECOND}\0").registrations
    assert (first.initiator, first.isid, first.key, first.holder) == (H1, "00023d000001", 0xABC, True)
    assert (first.iqn, first.tag, first.lun, first.number) == (T, 1, 4, 7)
    assert (second.initiator, second.isid, second.key, second.holder) == (H2, "", 11, False)
    assert files.show_registrations((first, second)) == FIRST + SECOND


@pytest.mark.parametrize("text", [NONE, f"{NONE}\n\0"])
def test_a_file_without_registrations_is_whole(text: str) -> None:
    """The kernel writes it when the last registration ends."""
    assert files.parse_registrations(text) == SavedRegistrations()


@pytest.mark.parametrize(
    "text", ["", FIRST[:-20], FIRST.replace("tpgt=1\n", ""), FIRST.replace("=2748", "=x"), "\0" * 100]
)
def test_a_file_that_is_cut_off_is_damaged(text: str) -> None:
    """The kernel truncates a file before it writes it."""
    assert files.parse_registrations(text) == SavedRegistrations(damaged=True)


def test_what_a_damaged_file_still_holds_is_used() -> None:
    """The registrations before the damage are whole."""
    found = files.parse_registrations(FIRST + SECOND[:60])
    assert ([one.initiator for one in found.registrations], found.damaged) == ([H1], True)


def test_a_registration_is_restored_into_a_lun_of_another_number() -> None:
    """All else is as the kernel wrote it."""
    text = only(FIRST).metadata(9)
    assert text.endswith(f"target_node={T},tpgt=1,port_rtpi=3,target_lun=9")
    assert "sa_res_key=2748,res_holder=1" in text


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    """Give the directory that the kernel writes to, and one of earlier boots."""
    for name in ("now", "then"):
        (tmp_path / name).mkdir()
    return tmp_path / "now", tmp_path / "then"


def test_the_kernels_own_directory_comes_first(directories: tuple[Path, Path]) -> None:
    """A file of an earlier boot counts only if the kernel has written no newer one."""
    now, then = directories
    for path in (
        now / "aptpl_aa",
        then / "aptpl_aa",
        then / "aptpl_bb",
        then / "aptpl_cc.new",
        then / "other",
    ):
        path.touch()
    listed = files.list_files((*directories, now / "absent"))
    assert listed == {"aa": now / "aptpl_aa", "bb": then / "aptpl_bb"}
    found = [files.find_file(serial, directories) for serial in ("aa", "bb", "dd")]
    assert found == [now / "aptpl_aa", then / "aptpl_bb", None]


def test_an_initiators_registrations_are_removed_alone(directories: tuple[Path, Path]) -> None:
    """Those of the others stay as they are."""
    path = directories[0] / "aptpl_aa"
    path.write_text(FIRST + SECOND)
    files.forget_registrations("aa", (T, 2, H2), directories)
    assert path.read_text() == FIRST + SECOND
    files.forget_registrations("aa", (T, 1, H2), directories)
    assert path.read_text() == FIRST


def test_with_the_last_registration_the_files_go(directories: tuple[Path, Path]) -> None:
    """An older file, too: it must not count when the newer one is gone."""
    for directory in directories:
        (directory / "aptpl_aa").write_text(FIRST)
    files.forget_registrations("aa", (T, 1, H1), directories)
    files.forget_registrations("bb", (T, 1, H1), directories)
    assert files.list_files(directories) == {}


def test_a_damaged_file_is_not_removed(directories: tuple[Path, Path]) -> None:
    """A person may still read it."""
    path = directories[0] / "aptpl_aa"
    path.write_text(FIRST[:-30])
    files.forget_registrations("aa", (T, 1, H1), directories)
    assert path.read_text() == FIRST[:-30]


def test_a_file_that_was_just_written_is_known_as_such(directories: tuple[Path, Path]) -> None:
    """The kernel may be about to write it; one from the future, as of a clock set back, is not."""
    path, now = directories[0] / "aptpl_aa", time.time()
    path.touch()
    changing = []
    for then in (now, now - 60, now + 60):
        os.utime(path, (then, then))
        changing.append(files.read_registrations(path).changing)
    assert changing == [True, False, False]


def test_a_file_that_cannot_be_read_is_damaged(directories: tuple[Path, Path]) -> None:
    """An absent one is empty."""
    (directories[0] / "aptpl_aa").mkdir()
    assert files.read_registrations(directories[0] / "aptpl_aa") == SavedRegistrations(damaged=True)
    assert files.read_registrations(directories[0] / "aptpl_bb") == SavedRegistrations()


LISTED = f"""SPC-3 PR Registrations:
iSCSI Node: {H1},i,0x00023d000001 Key: 0x0000000000000abc PRgen: 0x00000001
iSCSI Node: {H2} Key: 0x000000000000000b PRgen: 0x00000002
"""


def test_the_registrations_in_memory_are_compared_with_those_of_the_file() -> None:
    """As often as they are listed: the list does not say through which target they were made."""
    memory = files.count_live(LISTED)
    assert memory == Counter({(H1, "00023d000001", 0xABC): 1, (H2, "", 11): 1})
    first, second = only(FIRST), only(SECOND)
    assert list(files.live_flags((first, second, first), memory)) == [True, True, False]
    assert list(files.live_flags((first,), files.count_live("SPC-3 PR Registrations:\nNone"))) == [False]


def test_a_list_that_fills_the_page_proves_nothing() -> None:
    """The kernel cuts it off; then all registrations count as in memory."""
    memory = files.count_live("x" * 4000)
    assert memory is None
    assert list(files.live_flags((only(FIRST),), memory)) == [True]


def test_a_directory_that_the_kernel_can_write_to_is_no_problem(tmp_path: Path) -> None:
    """A missing one is made; the probe leaves nothing behind."""
    assert files.find_write_problem(tmp_path / "a/pr") == ""
    assert list((tmp_path / "a/pr").iterdir()) == []


def test_a_directory_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    """The message names the directory and the reason."""
    (tmp_path / "pr").touch()
    assert files.find_write_problem(tmp_path / "pr") == f"can't write to {tmp_path}/pr: File exists"


def test_writes_to_the_files_are_synced_where_that_is_possible(tmp_path: Path) -> None:
    """A directory that is absent, or whose file system has no such flag, is left alone."""
    (tmp_path / "aptpl_aa").write_text(FIRST)
    files.keep_synced(tmp_path)
    files.keep_synced(tmp_path / "absent")
    assert (tmp_path / "aptpl_aa").read_text() == FIRST
