"""The author of a commit that names none."""

import pytest

from lunmapd.client.author import default_author


@pytest.mark.parametrize(
    ("user", "caller", "author"),
    [("root", "ann", "ann@vm"), ("root", "", "root@vm"), ("bob", "ann", "bob@vm")],
)
def test_behind_sudo_it_is_who_called_it(
    monkeypatch: pytest.MonkeyPatch, user: str, caller: str, author: str
) -> None:
    """Only root's commits are those of SUDO_USER: the variable outlives a change to another user."""
    monkeypatch.setattr("getpass.getuser", lambda: user)
    monkeypatch.setattr("socket.gethostname", lambda: "vm")
    monkeypatch.setenv("SUDO_USER", caller)
    assert default_author() == author
