"""The files that the settings name: each mistake has its line, and nothing starts with half of them."""

import sys
from pathlib import Path

import pytest

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.service import zookeeper
from lunmapd.service.settings import load_settings
from support.pki import Authority

HEAD = "zookeeper:\n  hosts: [10.0.0.1:2281]\n  tls:\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a directory with the files of a node."""
    authority = Authority(tmp_path)
    authority.issue("n1")
    authority.issue("locked", password="open sesame")
    authority.issue("n2")
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("open sesame\n")
    return tmp_path


def write(directory: Path, **files: str) -> Path:
    """Write settings with these files for TLS, one a line from line 4."""
    path = directory / "settings.yaml"
    path.write_text(HEAD + "".join(f"    {name}: {value}\n" for name, value in files.items()))
    return path


def problems(path: Path) -> list[str]:
    """Return the problems of a settings file, without its directory."""
    with pytest.raises(InvalidInputError) as caught:
        load_settings(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_good_files_are_taken(directory: Path) -> None:
    """A certificate with its key, locked or not, passes, and the session gets it."""
    d = directory
    for name, more in (("n1", {}), ("locked", {"key_password_file": f"{d}/password"})):
        files = {"ca": f"{d}/ca.pem", "certificate": f"{d}/{name}.pem", "key": f"{d}/{name}.key", **more}
        settings = load_settings(write(d, **files))
        assert zookeeper.create_session(settings.zookeeper).root == "/lunmap"


def test_each_missing_or_open_file_has_its_line(directory: Path) -> None:
    """All files that are missing, or open to others, come at once."""
    d = directory
    (d / "n1.key").chmod(0o644)
    (d / "password").chmod(0o640)
    path = write(
        d, ca=f"{d}/no", certificate=f"{d}/n1.pem", key=f"{d}/n1.key", key_password_file=f"{d}/password"
    )
    assert problems(path) == [
        "settings.yaml:4: zookeeper.tls.ca: can't use no: no such file or directory",
        "settings.yaml:6: zookeeper.tls.key: can't use n1.key: its mode 0644 gives others access: chmod 0640 it",
        "settings.yaml:7: zookeeper.tls.key_password_file: can't use password: its mode 0640 gives others access: chmod 0600 it",
    ]


def test_files_that_do_not_fit_are_said(directory: Path) -> None:
    """An unrelated key, a missing or wrong key password, and an invalid CA are found before the start."""
    d = directory
    n1 = {"ca": f"{d}/ca.pem", "certificate": f"{d}/n1.pem"}
    unfit = "settings.yaml:5: zookeeper.tls.certificate: can't use"
    for files in (
        n1 | {"key": f"{d}/n2.key"},
        n1 | {"key": f"{d}/locked.key"},
        n1 | {"key": f"{d}/locked.key", "key_password_file": f"{d}/password"},
    ):
        assert problems(write(d, **files))[0].startswith(unfit)
    assert problems(write(d, ca=f"{d}/n1.key")) == [
        "settings.yaml:4: zookeeper.tls.ca: can't use n1.key: it holds no certificates in PEM format"
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ca": "ca.pem"}, "settings.yaml:4: zookeeper.tls.ca: 'ca.pem' is not a file"),
        ({"ca": '""'}, "settings.yaml:4: zookeeper.tls.ca: '' is not a file"),
        ({"ca": "credentials:a/b"}, "settings.yaml:4: zookeeper.tls.ca: 'credentials:a/b' is not a file"),
        ({"ca": "/ca", "key": "/k"}, "settings.yaml:3: zookeeper.tls: certificate and key belong together"),
        (
            {"ca": "/ca", "verify_hostname": "perhaps"},
            "settings.yaml:5: zookeeper.tls.verify_hostname: expected",
        ),
        ({"certificate": "/c"}, "settings.yaml:3: zookeeper.tls: missing required field 'ca'"),
    ],
)
def test_bad_values_have_their_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """Invalid values and missing files have their lines, each once."""
    found = problems(write(tmp_path, **files))
    assert [problem.startswith(message) for problem in found if " can't use " not in problem] == [True]


def test_a_credential_of_systemd_is_found(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`credentials:NAME` is a file of $CREDENTIALS_DIRECTORY; without that variable it is a problem."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = write(directory, ca="credentials:ca.pem")
    (problem,) = problems(path)
    assert problem.startswith(
        "settings.yaml:4: zookeeper.tls.ca: can't use credentials:ca.pem: only a systemd service"
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    load_settings(path)


def test_logins_are_checked(directory: Path) -> None:
    """A password file that is open to others, or an invalid user, has its line; a good login passes."""
    path = directory / "settings.yaml"
    head = "zookeeper:\n  hosts: [10.0.0.1:2181]\n"
    login = f"{{user: n1, password_file: {directory}/password}}"
    path.write_text(f"{head}  sasl: {login}\n  digest: {login}\n")
    zookeeper.create_session(load_settings(path).zookeeper)
    path.write_text(head + "  sasl: {user: 'n 1', password_file: secret}\n")
    assert problems(path) == [
        "settings.yaml:3: zookeeper.sasl.user: 'n 1' is not a user: it has no spaces, ':' or '@'",
        "settings.yaml:3: zookeeper.sasl.password_file: 'secret' is not a file: write an absolute path, or credentials:NAME for a credential of systemd",
    ]
    (directory / "password").chmod(0o644)
    path.write_text(f"{head}  digest: {login}\n")
    (problem,) = problems(path)
    assert problem.startswith(
        "settings.yaml:3: zookeeper.digest.password_file: can't use password: its mode 0644"
    )


def test_without_the_library_sasl_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL without its library is a problem of the settings that names the package to install."""
    path = directory / "settings.yaml"
    login = f"{{user: n1, password_file: {directory}/password}}"
    path.write_text(f"zookeeper:\n  hosts: [10.0.0.1:2181]\n  sasl: {login}\n")
    monkeypatch.setitem(sys.modules, "puresasl", None)
    (problem,) = problems(path)
    assert problem.startswith(
        "settings.yaml:3: zookeeper.sasl: SASL needs a library: apt install python3-pure-sasl"
    )
