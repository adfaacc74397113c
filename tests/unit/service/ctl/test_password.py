"""Passwords from files, or made: handed over once, and only if the commit was made."""

import io
import re
import stat
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lunmapd.core.secrets.sealing import UnfitPasswordError
from lunmapd.service.ctl.secrets.options import PasswordSource, password_options
from lunmapd.service.ctl.secrets.password import obtained_password
from lunmapd.service.ctl.text.output import watch_commits
from lunmapd.store.commit.commit_errors import CommitInterruptedError, OutcomeUnknownError
from lunmapd.store.session.access_errors import CredentialsError

MADE = re.compile(r"[A-Za-z0-9]{16}")


class Terminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def test_a_made_password_is_in_a_private_file(tmp_path: Path) -> None:
    """Of mode 600 under a new name; another one each time, and not shown."""
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first, second):
        with obtained_password(PasswordSource(generate_to=path)) as password:
            assert path.read_text() == f"{password.text}\n"
        assert MADE.fullmatch(path.read_text().strip())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.read_text() != second.read_text()
    with pytest.raises(FileExistsError), obtained_password(PasswordSource(generate_to=first)):
        pass


def test_a_made_password_that_is_not_committed_leaves_no_file(tmp_path: Path) -> None:
    """Neither after an error nor in a trial."""
    path = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt), obtained_password(PasswordSource(generate_to=path)):
        raise KeyboardInterrupt
    with obtained_password(PasswordSource(generate_to=path), is_trial=True):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("committed", "error"),
    [
        (7, TimeoutError("not applied in time")),
        (None, CommitInterruptedError.after(7)),
        (None, OutcomeUnknownError("z:2181", 7)),
    ],
)
def test_a_made_password_that_may_be_committed_is_kept(
    tmp_path: Path, committed: int | None, error: BaseException
) -> None:
    """Nobody could know it otherwise: the wait for nodes failed, or the outcome is unknown."""
    path = tmp_path / "new"
    with click.Context(click.Command("set")):
        watch_commits(lambda: committed)
        with (
            pytest.raises(type(error)),
            obtained_password(PasswordSource(generate_to=path)) as password,
        ):
            raise error
    assert path.read_text() == f"{password.text}\n"


def test_a_made_password_that_may_be_committed_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the terminal, before the error."""
    monkeypatch.setattr(sys, "stdout", out := Terminal())
    with pytest.raises(KeyboardInterrupt), obtained_password(PasswordSource(generate=True)) as password:
        raise CommitInterruptedError.after(7)
    assert out.getvalue() == f"password, shown only now: {password.text}\n"


def test_a_made_password_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the commit, and not after an error."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(ValueError, match="refused"), obtained_password(PasswordSource(generate=True)):
        raise ValueError("refused")
    with obtained_password(PasswordSource(generate=True)) as password:
        assert out.getvalue() == ""
    assert out.getvalue() == f"password, shown only now: {password.text}\n"


def test_a_password_is_read_from_a_private_file(tmp_path: Path) -> None:
    """Its first line; a file that others may read, or a password that LIO can't store, is refused."""
    path = tmp_path / "given"
    path.write_text("a long password\nmore\n")
    path.chmod(0o600)
    with obtained_password(PasswordSource(file=path)) as password:
        assert password.text == "a long password"
    path.write_text("NULL\n")
    with pytest.raises(UnfitPasswordError), obtained_password(PasswordSource(file=path)):
        pass
    path.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod"), obtained_password(PasswordSource(file=path)):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--generate"], "shows the password on a terminal only: use --generate-to FILE"),
        (["--generate", "--generate-to", "x"], "use one of --password-file, --generate and --generate-to"),
        (["--password-file", "y", "--generate-to", "x"], "use one of"),
    ],
)
def test_sources_that_do_not_fit_are_wrong_usage(options: list[str], message: str) -> None:
    """No password goes into a file or a log that nobody named, and there is one source."""

    @click.command()
    @password_options
    def verb(source: PasswordSource) -> None:
        raise AssertionError(source)

    done = CliRunner().invoke(verb, options)
    assert (done.exit_code, message in done.output) == (2, True)
