"""The hook for DRBD, with programs of the same names that keep role, disk and table in files."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[2] / "config/hooks/drbd"
DRBDADM = r"""#!/bin/sh
cd STATE
[ "$1" = sh-dev ] && echo /dev/drbd0 && exit
case "$1" in
role) echo "$(cat role)/Secondary" ;;
dstate) echo "$(cat disk)/UpToDate" ;;
primary)
    [ ! -e refusal ] || { cat refusal; exit 17; }
    echo Primary >role ;;
secondary)
    [ ! -e busy ] || { rm busy; echo "held open" >&2; exit 11; }
    echo Secondary >role ;;
esac
echo "$*" >>log
"""
DMSETUP = r"""#!/bin/sh
cd STATE
case "$1" in
table) cat table ;;
create) echo "$6" >table; echo "$3 $4" >uuid ;;
load) echo "$4" >new ;;
resume) mv new table ;;
esac
"""
CAT = r"""#!/bin/sh
case "$1" in /sys/class/block/drbd0/size) echo 98224 ;; *) exec /bin/cat "$@" ;; esac
"""
DEVICE = "/dev/mapper/drbd-r0"
Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Give what runs the hook on a secondary that has booted: it returns exit status and last line."""
    for name, text in (("drbdadm", DRBDADM), ("dmsetup", DMSETUP), ("cat", CAT)):
        path = tmp_path / name
        path.write_text(text.replace("STATE", str(tmp_path)))
        path.chmod(0o755)
    put(tmp_path, role="Secondary", disk="UpToDate")

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [HOOK, *words],
            env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.rstrip("\n").rpartition("\n")[2]

    return run


def put(directory: Path, **files: str) -> None:
    """Write the files of the programs."""
    for name, text in files.items():
        (directory / name).write_text(f"{text}\n")


def table(directory: Path) -> str:
    """Return the table of the device."""
    return (directory / "table").read_text().strip()


def test_the_device_follows_the_role(ask: Ask, tmp_path: Path) -> None:
    """It is made by the first demotion, leads to DRBD when promoted, and refuses I/O when demoted."""
    assert ask("status", DEVICE) == (1, "r0 is Secondary, and its device ''")
    assert ask("demote", DEVICE)[0] == 0
    assert table(tmp_path) == "0 98224 error"
    assert (tmp_path / "uuid").read_text() == "--uuid lunmapd-drbd-r0\n"
    assert ask("status", DEVICE)[0] == 3
    for _ in range(2):
        assert ask("promote", DEVICE)[0] == 0
        assert table(tmp_path) == "0 98224 linear /dev/drbd0 0"
        assert ask("status", DEVICE)[0] == 0
    for _ in range(2):
        assert ask("demote", DEVICE)[0] == 0
        assert table(tmp_path) == "0 98224 error"
        assert ask("status", DEVICE)[0] == 3


def test_a_promotion_that_drbd_refuses(ask: Ask, tmp_path: Path) -> None:
    """If the peer is primary still, it is tried again; the device refuses I/O as before."""
    ask("demote", DEVICE)
    put(tmp_path, refusal="0: State change failed: (-1) Multiple primaries not allowed by config")
    assert ask("promote", DEVICE) == (75, "r0 is primary on the other node")
    refusal = "0: State change failed: (-2) Need access to UpToDate data"
    put(tmp_path, refusal=refusal)
    assert ask("promote", DEVICE) == (1, refusal)
    assert table(tmp_path) == "0 98224 error"


def test_a_disk_that_is_not_up_to_date_is_not_promotable(ask: Ask, tmp_path: Path) -> None:
    """The message says what it is."""
    ask("demote", DEVICE)
    put(tmp_path, disk="Outdated")
    assert ask("status", DEVICE) == (4, "the disk of r0 is Outdated")


def test_a_device_that_is_open_for_a_moment_is_demoted(ask: Ask, tmp_path: Path) -> None:
    """Udev looks at devices whose table has changed."""
    ask("promote", DEVICE)
    put(tmp_path, busy="")
    assert ask("demote", DEVICE)[0] == 0
    assert (tmp_path / "role").read_text() == "Secondary\n"


def test_something_in_between_is_a_failure(ask: Ask, tmp_path: Path) -> None:
    """A primary whose device refuses I/O, such as after a kill; with several Luns all must be alike."""
    ask("demote", DEVICE)
    put(tmp_path, role="Primary")
    assert ask("status", DEVICE) == (1, "r0 is Primary, and its device 'error'")
    put(tmp_path, role="Secondary")
    assert ask("status", DEVICE, f"{DEVICE}.b")[0] == 3


@pytest.mark.parametrize(
    "path", ["/dev/sda", "/dev/mapper/drbd-", "/dev/mapper/drbd-a b", "/dev/mapper/drbd-../x"]
)
def test_other_devices_are_refused(ask: Ask, tmp_path: Path, path: str) -> None:
    """The paths come from the map, and the hook runs as root."""
    for action in ("status", "promote", "demote"):
        assert ask(action, path)[0] == 1
    assert not (tmp_path / "log").exists()


def test_an_unknown_action_is_an_error(ask: Ask) -> None:
    """It shows the usage."""
    assert ask("start", DEVICE)[0] == 2
