"""The words that begin a command on a page."""

import shlex
from collections.abc import Iterator

from msgspec.structs import asdict

from lunmapd.service.cli import DEFAULT_SETTINGS_FILE
from lunmapd.service.ctl.connection import Connection
from lunmapd.store.session.secret_files import is_credential
from lunmapd.store.session.session import DEFAULT_CHROOT


def call_of(connection: Connection, chroot: str) -> str:
    """Return the call of lunmapctl that reaches the same tree, as words for a shell.

    It has the options of this program's own call, and a chroot that is not the default, since the settings
    of a reader's machine may name another one. A file that only this service can read, a credential of
    systemd, is left out.
    """
    return shlex.join(["lunmapctl", *_options(connection), *_chroot(chroot)])


def _options(connection: Connection) -> Iterator[str]:
    if connection.hosts is None:
        if connection.config != DEFAULT_SETTINGS_FILE and not is_credential(connection.config):
            yield from ("--config", str(connection.config.absolute()))
        return
    yield from ("--hosts", connection.hosts)
    for name, value in asdict(connection.tls).items():
        if value:
            yield from (f"--tls-{name}", value)


def _chroot(chroot: str) -> tuple[str, ...]:
    return () if chroot == DEFAULT_CHROOT else ("--chroot", chroot)
