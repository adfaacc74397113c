"""How the options say that the tree is reached. `connect` imports the libraries for that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lunmapd.client import Client


class TlsFiles(Struct, frozen=True):
    """The files for TLS that options name, "" for none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


class Connection(Struct, frozen=True):
    """How to reach the tree: from the options, or from the settings file when `hosts` is None."""

    config: Path
    chroot: str | None = None
    hosts: str | None = None
    tls: TlsFiles = TlsFiles()

    @contextmanager
    def client(self) -> Iterator["Client"]:
        """Open a client for one command. Raises the errors of the settings and StoreError."""
        from lunmapd.service.ctl.connect import connected

        with connected(self) as client:
            yield client
