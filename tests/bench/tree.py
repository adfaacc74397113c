"""A tree in a real ensemble for the figures of the store, and a bare client beside it."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kazoo.client import KazooClient
from msgspec.structs import replace

from lab import Lab
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    SECTIONS,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Scope,
    Shared,
    Target,
)
from lunmapd.store.commit.commit_options import CommitOptions, commit_rules
from lunmapd.store.commit.draft import Signature
from lunmapd.store.session.session import WINDOW, Session
from lunmapd.store.upkeep.init import initialise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab import Ensemble

NODES = ("n1", "n2", "n3")
TARGET = "iqn.2026-01.org.example:bench"
HOST = "iqn.2026-01.org.example:host"
_SHARED = Shared(Scope.OFF, Scope.OFF)


def luns(count: int) -> Lunmap:
    """Make a map of so many Luns that three nodes serve to one host."""
    return Lunmap(
        {lun_name(number): lun(number) for number in range(count)},
        {TARGET: Target({node: PortalGroup(tag) for tag, node in enumerate(NODES, 1)})},
        {HOST: Initiator()},
        nodes={node: Node(tag, (f"10.0.0.{tag}:3260",)) for tag, node in enumerate(NODES, 1)},
    )


def lun_name(number: int) -> str:
    """Return the name of a Lun."""
    return f"lun-{number}"


def lun(number: int) -> Lun:
    """Make a Lun."""
    path, serial = f"/dev/vg/{lun_name(number)}", f"{number:025x}0000000"
    return Lun(Block(path), serial, 1 << 30, shared=_SHARED, maps=(Map(TARGET, number, HOST),))


def grown(lunmap: Lunmap, name: str) -> Lunmap:
    """Change the size of one Lun, the smallest of commits."""
    found = lunmap.luns[name]
    return replace(lunmap, luns={**lunmap.luns, name: replace(found, size=(found.size or 0) + 4096)})


def terms() -> CommitOptions:
    """Make the terms of a commit."""
    return CommitOptions(Signature("bench", "a change", datetime.now(UTC)), commit_rules())


@contextmanager
def ensemble(servers: int = 3) -> Iterator[Ensemble]:
    """Start servers for one figure."""
    with Lab() as lab:
        yield lab.ensemble(servers)


@contextmanager
def tree(servers: Ensemble) -> Iterator[Session]:
    """Make an empty tree and a session on it."""
    with Session(servers.hosts, f"/{uuid.uuid4().hex}", deadline=60.0) as session:
        initialise(session)
        yield session


@contextmanager
def bare(servers: Ensemble) -> Iterator[KazooClient]:
    """Start a plain client in a chroot of its own."""
    client = KazooClient(servers.hosts)
    client.start(30)
    root = f"/{uuid.uuid4().hex}"
    client.ensure_path(root)
    client.chroot = root
    try:
        yield client
    finally:
        client.stop()
        client.close()


def seconds_of_gets(session: Session) -> float:
    """Measure the reading of all objects as bytes, by a get for each, 256 at a time."""
    client = session.link.current
    began = time.monotonic()
    paths = [
        session.path(f"{section}/{name}")
        for section in SECTIONS
        for name in client.get_children(session.path(section))
    ]
    for start in range(0, len(paths), WINDOW):
        for answer in [client.get_async(path) for path in paths[start : start + WINDOW]]:
            answer.get()
    return time.monotonic() - began
