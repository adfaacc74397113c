"""`lunmapctl serve`: where it listens, and how it starts and ends."""

import os
import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lunmapd.service.ctl.cli import ctl
from lunmapd.service.ctl.page.listen import parse_listen
from support.page_server import serving

NOWHERE = "127.0.0.1:1"


def run(*words: str) -> Result:
    """Run lunmapctl without a server of ZooKeeper."""
    return CliRunner().invoke(ctl, ["--hosts", NOWHERE, *words])


@pytest.mark.parametrize(
    ("listen", "sentence"),
    [
        ("0.0.0.0:9811", "the page has no login: add --no-login"),
        ("[::]:9811", "the page has no login: add --no-login"),
        ("10.0.0.1:80", "other machines reach 10.0.0.1"),
        ("9811", "is not ADDRESS:PORT"),
        ("board.example:80", "is not ADDRESS:PORT"),
        ("127.0.0.1:65536", "has no port from 0 to 65535"),
        ("127.0.0.1:", "has no port"),
        pytest.param(f"127.0.0.1:{'9' * 5000}", "has no port", id="digits"),
    ],
)
def test_other_machines_reach_it_only_if_asked(listen: str, sentence: str) -> None:
    """An address that is not of loopback needs an option that names the risk; a wrong one is wrong usage."""
    done = run("serve", "--listen", listen)
    assert (done.exit_code, sentence in " ".join(done.output.split())) == (2, True)


@pytest.mark.parametrize(("listen", "is_ours"), [("127.9.9.9:1", True), ("[::1]:1", True), ("[::]:1", False)])
def test_loopback_is_what_no_other_machine_reaches(listen: str, is_ours: bool) -> None:  # noqa: FBT001
    """All of 127.0.0.0/8, and ::1."""
    assert parse_listen(listen).is_loopback is is_ours


def test_a_name_that_is_empty_allows_nothing() -> None:
    """As from an unset variable: it is wrong usage."""
    assert run("serve", "--name", "").exit_code == 2


def test_an_address_that_is_in_use_is_an_error_in_a_line() -> None:
    """It names the address and the option that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--listen", f"127.0.0.1:{port}")
    assert str(done.exception) == (
        f"can't listen on 127.0.0.1 port {port}: Address already in use; choose another with --listen"
    )


@pytest.mark.parametrize("words", [("serve",), ("status", "-o", "html")])
def test_a_missing_library_is_named(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the packages that have it; all other verbs do without."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    done = run(*words)
    assert "apt install python3-jinja2" in str(done.exception)
    assert "pip install 'lunmapd[page]'" in str(done.exception)


@pytest.mark.parametrize("words", [("--bad",), ("n1",), ("--watch",)])
def test_a_page_is_of_the_whole_cluster(words: tuple[str, ...]) -> None:
    """A part of the status has no page."""
    done = run("status", "-o", "html", *words)
    assert (done.exit_code, "-o html is a page of the whole cluster" in done.output) == (2, True)


def test_it_starts_without_zookeeper_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    """The page states that it can't be read; the interrupt is no error."""
    with serving(tmp_path, NOWHERE) as server:
        answer = server.get()
        assert (answer.status, answer.headers.get("Server")) == (503, None)
        assert "ZooKeeper could not be read: " in answer.text
        assert server.get("/", Other="x" * 20_000).status == 431
        os.kill(server.program.pid, signal.SIGINT)
        assert server.program.wait(60) == 0
        assert server.program.stderr is not None
        assert server.program.stderr.read() == ""
