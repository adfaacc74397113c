"""The session and the client of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import astuple, replace

from lunmapd.client.client import Client
from lunmapd.service import zookeeper
from lunmapd.service.ctl.connection import Connection, TlsFiles
from lunmapd.service.ctl.text.output import watch_commits
from lunmapd.service.output import echo
from lunmapd.service.zookeeper import TlsSettings, ZooKeeperSettings
from lunmapd.store.session.session import DEFAULT_CHROOT


@contextmanager
def connected(connection: Connection) -> Iterator[Client]:
    """Open a client for one command. Raises the errors of the settings and StoreError."""
    zookeeper.silence_kazoo()
    with zookeeper.create_session(endpoint_of(connection)) as session:
        client = Client(session, progress=_echo_progress)
        watch_commits(lambda: client.committed)
        yield client


def endpoint_of(connection: Connection) -> ZooKeeperSettings:
    """Return the ensemble that the options or the settings file name. Raises the errors of the settings."""
    hosts, chroot = connection.hosts, connection.chroot
    if hosts is None:
        from lunmapd.service import settings

        endpoint = settings.load_settings(connection.config).zookeeper
        return endpoint if chroot is None else replace(endpoint, chroot=chroot)
    tls = None if connection.tls == TlsFiles() else TlsSettings(*astuple(connection.tls))
    endpoint = ZooKeeperSettings(tuple(hosts.split(",")), chroot or DEFAULT_CHROOT, tls=tls)
    zookeeper.check_settings(endpoint)
    return endpoint


def _echo_progress(done: int, total: int) -> None:
    echo(f"lunmapctl: part {done} of {total} was written", err=True)
