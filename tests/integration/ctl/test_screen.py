"""`status --watch` on a real terminal, with a real ZooKeeper."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from lab import Ensemble
from lunmapd.store.session.session import Session
from support.agents import MAP, AgentFactory, put_checked
from support.cluster import Ctl
from support.terminal import RUN, Terminal, lunmapctl_on_terminal, program_on_terminal

pytestmark = pytest.mark.integration

EXAMPLE = Path("config/lunmap.yaml").read_text()


def words(session: Session, *more: str) -> list[str]:
    """Return the arguments of a status that is read ten times a second."""
    return ["--hosts", session.hosts, "--chroot", session.root, "status", "-w", "0.1", *more]


def fits(terminal: Terminal, columns: int) -> bool:
    """Return whether no line of the screen reaches its last column."""
    return all(len(line) < columns for line in terminal.lines)


def test_keys_lead_through_nodes_luns_and_hosts(session: Session, ctl: Ctl) -> None:
    """Enter explains the object under the cursor, Esc leads back, / filters, and q ends it."""
    ctl.apply(EXAMPLE, wait=None)
    with lunmapctl_on_terminal(words(session)) as terminal:
        lines = terminal.wait_for("NODE", "n3", "q quit")
        assert "revision 1" in lines[0]
        assert lines[1] == "3 nodes, 3 dead; 3 Luns: 0 ok, 3 without a path"
        assert fits(terminal, 80)
        terminal.type("l")
        terminal.wait_for("LUN", "scratch", "64 MiB")
        terminal.type("/logs\r")
        terminal.wait_for("1 of 3 Luns with 'logs'", without="\nscratch")
        terminal.type("\r")
        terminal.wait_for("logs: WWID 3600140", "Esc back")
        terminal.type("\x1b")
        terminal.wait_for("1 of 3 Luns")
        terminal.type("h")
        terminal.wait_for("LOGGED IN AT", "host1  database host")
        terminal.type("\x1b[B\x1b[B\r")
        terminal.wait_for("logged in to nothing", "Esc back")
        terminal.type("q")
        assert terminal.wait_end() == 6
        assert terminal.echoes()


def test_the_screen_follows_the_map_and_its_size(
    session: Session, ctl: Ctl, make_agent: AgentFactory
) -> None:
    """A new revision appears, at every size of the terminal, and Ctrl-C ends with the last state's code."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    with lunmapctl_on_terminal(words(session, "--luns")) as terminal:
        terminal.wait_for("revision 1", "2 Luns: 2 ok", "INITIATORS")
        terminal.resize(10, 40)
        terminal.wait_for("cluster", "LUN", "q quit")
        assert fits(terminal, 40)
        ctl("host", "set", "h", "alias=db")
        ctl("host", "set", "h", "alias=db2")
        terminal.resize(30, 120)
        terminal.wait_for("revision 3", "n nodes  l Luns  h hosts  Enter explain")
        assert fits(terminal, 120)
        terminal.type("\x03")
        assert terminal.wait_end() in {0, 6}
        assert terminal.echoes()


def test_it_can_be_stopped_and_continued(session: Session, ctl: Ctl) -> None:
    """Ctrl-Z gives the terminal back to the shell, and with `fg` the screen is drawn again."""
    ctl.apply(EXAMPLE, wait=None)
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    env = {"PS1": "shell> ", "STATUS": shlex.join([sys.executable, "-c", RUN, *words(session)])}
    with program_on_terminal(shell, env=env) as terminal:
        terminal.wait_for("shell>")
        terminal.type('eval "$STATUS"\r')
        terminal.wait_for("NODE", "q quit")
        terminal.type("\x1a")
        terminal.wait_for("Stopped", "shell>")
        terminal.type("fg\r")
        terminal.wait_for("NODE", "q quit", without="Stopped")
        terminal.type("l")
        terminal.wait_for("scratch", "PATHS")
        terminal.type("q")
        terminal.wait_for("shell>")
        terminal.type("echo status $?\r")
        terminal.wait_for("status 6")
        terminal.type("exit\r")
        assert terminal.wait_end() == 0


def test_a_lost_zookeeper_is_shown_and_so_is_its_return(trio: Ensemble, tmp_path: Path) -> None:
    """What was read before stays on the screen with its time, and the keys work meanwhile."""
    ctl = Ctl(trio.hosts)
    ctl("init")
    ctl.apply(EXAMPLE, wait=None)
    settings = tmp_path / "lunmapd.yaml"
    settings.write_text(f"node: n1\nzookeeper:\n  hosts: [{trio.hosts}]\n  deadline: 1\n")
    with lunmapctl_on_terminal(["-c", str(settings), "status", "-w", "0.1"]) as terminal:
        terminal.wait_for("3 nodes, 3 dead")
        trio.kill()
        lines = terminal.wait_for("no answer from ZooKeeper")
        assert re.search(r"n1 +DEAD", "\n".join(lines))
        terminal.type("l")
        terminal.wait_for("scratch", "no answer from ZooKeeper")
        trio.start()
        terminal.wait_for("3 nodes, 3 dead", without="no answer")
        terminal.type("q")
        assert terminal.wait_end() == 6


@pytest.mark.parametrize(
    ("env", "colour"),
    [({}, "red"), ({"NO_COLOR": "1"}, "default"), ({"TERM": "vt100"}, "default"), ({"LC_ALL": "C"}, "red")],
)
def test_what_is_bad_is_red_where_there_are_colours(
    session: Session, ctl: Ctl, env: dict[str, str], colour: str
) -> None:
    """Not with NO_COLOR, nor on a terminal without colours; characters that it lacks become marks."""
    ctl.apply(EXAMPLE.replace("alias: database host", "alias: Datenbänk"), wait=None)
    with lunmapctl_on_terminal(words(session), env=env) as terminal:
        terminal.wait_for("! ", "q quit")
        assert terminal.styled("! ") == colour
        terminal.type("h")
        terminal.wait_for("Datenb?nk" if env.get("LC_ALL") == "C" else "Datenbänk")


@pytest.mark.parametrize("term", ["dumb", "no-such-terminal"])
def test_a_terminal_that_can_place_no_text_gets_the_plain_tables(
    session: Session, ctl: Ctl, term: str
) -> None:
    """They are repeated, and Ctrl-C ends it."""
    ctl.apply(EXAMPLE, wait=None)
    with lunmapctl_on_terminal(words(session), env={"TERM": term}) as terminal:
        terminal.wait_for("luns/db1, luns/logs")
        assert "q quit" not in "\n".join(terminal.lines)
        terminal.type("\x03")
        assert terminal.wait_end() == 6
