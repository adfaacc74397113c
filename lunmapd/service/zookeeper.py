"""The `zookeeper` section of the settings: its values, its files, and the session with these settings."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import InvalidInputError, Place, Problem, UnusableFilesError
from lunmapd.store.session import credentials
from lunmapd.store.session.access_errors import CredentialsError, SaslMissingError
from lunmapd.store.session.credentials import Credentials, has_sasl, tls_context
from lunmapd.store.session.secret_files import NOT_OTHERS, OWNER_ONLY, check_private, read_secret
from lunmapd.store.session.session import DEFAULT_CHROOT, Session

MIN_SECONDS, MAX_SECONDS = 0.1, 86400
_LAST_PORT = 65535
_CREDENTIAL = "credentials:"


class TlsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The files for TLS; without `certificate` and `key` the client presents no certificate."""

    ca: str
    certificate: str = ""
    key: str = ""
    key_password_file: str = ""
    verify_hostname: bool = True


class LoginSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A user, and a file with the password in its first line."""

    user: str
    password_file: str


class ZooKeeperSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The ensemble. Times are in seconds; `deadline` limits every call, the tree is below `chroot`."""

    hosts: tuple[str, ...]
    chroot: str = DEFAULT_CHROOT
    session_timeout: float = 10.0
    deadline: float = 10.0
    tls: TlsSettings | None = None
    sasl: LoginSettings | None = None
    digest: LoginSettings | None = None


def silence_kazoo() -> None:
    """Let kazoo log nothing: it logs each lost connection, and whole requests at an error.

    Our errors have the reasons. `logs.set_up_logging` of the daemon sets another level for debugging.
    """
    logging.getLogger("kazoo").setLevel(logging.CRITICAL + 1)


def create_session(zookeeper: ZooKeeperSettings, beat: Callable[[], None] = lambda: None) -> Session:
    """Return the session, not yet started; `beat` is that of Session. Raises CredentialsError."""
    return Session(
        ",".join(zookeeper.hosts),
        zookeeper.chroot,
        timeout=zookeeper.session_timeout,
        deadline=zookeeper.deadline,
        credentials=_credentials(zookeeper),
        beat=beat,
    )


def _credentials(zookeeper: ZooKeeperSettings) -> Credentials:
    return Credentials(_tls(zookeeper.tls), _login(zookeeper.sasl), _login(zookeeper.digest))


def _login(login: LoginSettings | None) -> credentials.PasswordLogin | None:
    return None if login is None else credentials.PasswordLogin(login.user, _file(login.password_file))


def _tls(tls: TlsSettings | None) -> credentials.Tls | None:
    if tls is None:
        return None
    return credentials.Tls(
        _file(tls.ca),
        _file(tls.certificate) if tls.certificate else None,
        _file(tls.key) if tls.key else None,
        _file(tls.key_password_file) if tls.key_password_file else None,
        tls.verify_hostname,
    )


def _file(text: str) -> Path:
    """Return the path of a file; `credentials:NAME` is a credential of the service (systemd.exec(5))."""
    name = text.removeprefix(_CREDENTIAL)
    if name == text:
        return Path(text)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        reason = "only a systemd service with LoadCredential= has it (CREDENTIALS_DIRECTORY is not set)"
        raise CredentialsError(Path(text), reason)
    return Path(directory, name)


def check_settings(zookeeper: ZooKeeperSettings) -> None:
    """Check settings that are not from a file. Raises InvalidInputError, UnusableFilesError."""
    if problems := [Problem(place, sentence) for place, sentence in value_problems(zookeeper) if sentence]:
        raise InvalidInputError(problems)
    if problems := [Problem(place, sentence) for place, sentence in file_problems(zookeeper)]:
        raise UnusableFilesError(problems)


def value_problems(zookeeper: ZooKeeperSettings) -> Iterator[tuple[Place, str | None]]:
    """Yield each place with its problem (None: no problem); no file is read."""
    yield ("chroot",), _check_chroot(zookeeper.chroot)
    yield ("hosts",), None if zookeeper.hosts else "name at least one server, such as 10.0.0.1:2181"
    for index, host in enumerate(zookeeper.hosts):
        yield ("hosts", index), _check_host(host)
    for name in ("session_timeout", "deadline"):
        yield (name,), check_seconds(getattr(zookeeper, name))
    if zookeeper.tls is not None:
        yield from _tls_problems(zookeeper.tls)
    if zookeeper.sasl is not None and not has_sasl():
        yield ("sasl",), str(SaslMissingError())
    for name, login in _logins(zookeeper):
        yield (name, "user"), _check_user(login.user)
        yield (name, "password_file"), _check_file(login.password_file)


def _tls_problems(tls: TlsSettings) -> Iterator[tuple[Place, str | None]]:
    if bool(tls.certificate) != bool(tls.key):
        missing = "key" if tls.certificate else "certificate"
        yield ("tls",), f"certificate and key belong together: {missing} is missing"
    for name, text in _tls_files(tls):
        yield ("tls", name), _check_file(text)


def _tls_files(tls: TlsSettings) -> list[tuple[str, str]]:
    others = ("certificate", "key", "key_password_file")
    return [("ca", tls.ca), *((name, getattr(tls, name)) for name in others if getattr(tls, name))]


def _logins(zookeeper: ZooKeeperSettings) -> list[tuple[str, LoginSettings]]:
    both = (("sasl", zookeeper.sasl), ("digest", zookeeper.digest))
    return [(name, login) for name, login in both if login is not None]


def file_problems(zookeeper: ZooKeeperSettings) -> Iterator[tuple[Place, str]]:
    """Yield the problems of the files that the settings name: absent, unusable, or readable by others."""
    if zookeeper.tls is not None:
        yield from _open_files(zookeeper.tls) or _unfit(zookeeper.tls)
    for name, login in _logins(zookeeper):
        try:
            read_secret(_file(login.password_file))
        except CredentialsError as error:
            yield (name, "password_file"), str(error)


def _open_files(tls: TlsSettings) -> list[tuple[Place, str]]:
    """Return the problems of files that can't be read, or that others can read."""
    forbidden = {"key": NOT_OTHERS, "key_password_file": OWNER_ONLY}
    problems: list[tuple[Place, str]] = []
    for name, text in _tls_files(tls):
        try:
            check_private(_file(text), forbidden.get(name, 0))
        except CredentialsError as error:
            problems.append((("tls", name), str(error)))
    return problems


def _unfit(tls: TlsSettings) -> list[tuple[Place, str]]:
    """Return the problems of files that can't be used together."""
    try:
        made = _tls(tls)
        assert made is not None
        tls_context(made)
    except CredentialsError as error:
        named = [name for name, text in _tls_files(tls) if _file(text) == error.path]
        return [(("tls", *named[:1]), str(error))]
    return []


def _check_file(text: str) -> str | None:
    name = text.removeprefix(_CREDENTIAL)
    if text.startswith("/") or (name != text and name and "/" not in name):
        return None
    return f"{text!r} is not a file: write an absolute path, or {_CREDENTIAL}NAME for a credential of systemd"


def _check_user(text: str) -> str | None:
    good = text and text.isprintable() and not set(text) & set(":@ ")
    return None if good else f"{text!r} is not a user: it has no spaces, ':' or '@'"


def _check_chroot(text: str) -> str | None:
    steps = text.split("/")[1:]
    good = text.startswith("/") and text.isprintable() and not {"", ".", ".."} & set(steps)
    return None if good else f"{text!r} is not the path of a znode: expected something like /lunmap"


def _check_host(text: str) -> str | None:
    address, _, port = text.rpartition(":")
    if _is_address(address) and re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) <= _LAST_PORT:
        return None
    return (
        f"{text!r} is not a server: expected address:port with a port from 1 to {_LAST_PORT}, such as "
        "10.0.0.1:2181"
    )


def _is_address(text: str) -> bool:
    """Return whether a text is a host name or an IPv4 address, or an IPv6 address in brackets."""
    if not text.startswith("["):
        return bool(text) and text.isprintable() and not set(text) & set(" ,:/?#@[]")
    try:
        return text.endswith("]") and bool(IPv6Address(text[1:-1]))
    except ValueError:
        return False


def check_seconds(value: float) -> str | None:
    """Return None for a valid time in seconds, otherwise a sentence."""
    good = MIN_SECONDS <= value <= MAX_SECONDS
    return (
        None if good else f"{value:g} is not a usable time: use seconds, from {MIN_SECONDS} to {MAX_SECONDS}"
    )
