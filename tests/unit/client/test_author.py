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


def test_a_user_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user id is not in /etc/passwd."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 3_999_999)
    monkeypatch.setattr("socket.gethostname", lambda: "vm")
    assert default_author() == "3999999@vm"
