"""What is printed on a terminal: tables fit it, with colours and short names; a pipe gets all of them."""

from pathlib import Path

import pytest

from lunmapd.service.output import has_colours
from lunmapd.store.session.session import Session
from support.cluster import Ctl
from support.terminal import lunmapctl_on_terminal

pytestmark = pytest.mark.integration

EXAMPLE = Path("config/lunmap.yaml").read_text()
LONG = EXAMPLE.replace("alias: database host", f"alias: {'a host with a long alias ' * 4}").replace(
    "/dev/vg0/db1", "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-volume-of-the-first-database"
)
TABLES = (
    ["status", "--luns"],
    ["get", "luns"],
    ["get", "nodes"],
    ["get", "initiators"],
    ["get", "targets"],
    ["get", "groups"],
    ["log"],
    ["explain", "host1"],
    ["explain", "db1"],
    ["explain", "n1"],
    ["plan", "unmap", "db1", "host1"],
)


@pytest.fixture
def ctl_with_map(ctl: Ctl) -> Ctl:
    """Give lunmapctl on a map with long names, aliases, paths and messages."""
    ctl.apply(LONG, wait=None)
    ctl("host", "set", "host1", f"alias={'x' * 100}", "-m", "a reason of many words " * 6)
    ctl("node", "set", "n1", "portals=" + ",".join(f"10.0.{number}.1" for number in range(1, 9)))
    return ctl


def where(session: Session) -> list[str]:
    """Return the options that lead to the tree."""
    return ["--hosts", session.hosts, "--chroot", session.root]


def test_no_row_is_wider_than_the_terminal(session: Session, ctl_with_map: Ctl) -> None:
    """Of any table, at 80 columns; in a pipe the same table is wider, and has full names."""
    for words in TABLES:
        with lunmapctl_on_terminal([*where(session), *words], rows=60, paper=400) as terminal:
            assert terminal.wait_end() in {0, 6}
            lines = terminal.lines
        heading = next(number for number, line in enumerate(lines) if line[:4].isupper())
        rows = [line for line in lines[heading : lines.index("", heading)] if "  " in line.strip()]
        assert rows, words
        assert [line for line in rows if len(line) > 80 and "->" not in line] == [], words
    whole = ctl_with_map("get", "initiators").out
    assert "iqn.2026-01.org.example:host1  xxxxx" in whole
    assert "xxx..." not in whole
    with lunmapctl_on_terminal([*where(session), "get", "initiators", "-o", "wide"], paper=400) as terminal:
        assert terminal.wait_end() == 0
        assert "\n".join(terminal.lines).rstrip() == whole.rstrip()


def test_changes_of_maps_fit_the_terminal(session: Session, ctl_with_map: Ctl) -> None:
    """With short names of targets and hosts; --full-names and a pipe have the whole names."""
    ctl_with_map("unmap", "db1", "host1", "--allow", "data-unreachable")
    for words in (["show", "4"], ["diff", "3.."]):
        with lunmapctl_on_terminal([*where(session), *words], paper=400) as terminal:
            assert terminal.wait_end() == 0
            assert "    maps: - host1 LUN 0 at san, rw" in terminal.lines
            assert max(map(len, terminal.lines)) <= 80
        full = "maps: - iqn.2026-01.org.example:host1 LUN 0 at iqn.2026-01.org.example:san, rw"
        with lunmapctl_on_terminal([*where(session), *words, "--full-names"], paper=400) as terminal:
            terminal.wait_for(full)
        assert full in ctl_with_map(*words).out


@pytest.mark.parametrize(
    ("env", "colour"), [({}, "red"), ({"NO_COLOR": "1"}, "default"), ({"TERM": "dumb"}, "default")]
)
def test_what_is_dead_is_red(session: Session, ctl_with_map: Ctl, env: dict[str, str], colour: str) -> None:
    """Where there are colours and nobody forbids them; never in a pipe."""
    with lunmapctl_on_terminal([*where(session), "status"], env={"NO_COLOR": "", **env}) as terminal:
        assert terminal.wait_end() == 6
        assert terminal.styled("DEAD") == colour
    with lunmapctl_on_terminal([*where(session), "diff", "1..2"], env={"NO_COLOR": "", **env}) as terminal:
        assert terminal.wait_end() == 0
        assert terminal.styled("~ initiators") == {"red": "brown"}.get(colour, colour)
    assert "\x1b" not in ctl_with_map("status", expect=6).out
    assert not has_colours()
