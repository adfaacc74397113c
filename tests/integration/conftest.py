"""One ensemble for all tests, a chroot and sessions for each."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fakes.clock import Clock
from fakes.lio import FakeLio
from lab import Ensemble, Lab
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.init import initialise
from support.agents import AgentFactory
from support.cluster import Ctl
from support.plain_client import make_former_tree
from support.sessions import Connect


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Give the lab in which all ensembles run."""
    with Lab() as opened:
        yield opened


@pytest.fixture(scope="session")
def ensemble(lab: Lab) -> Iterator[Ensemble]:
    """Give one server that all tests share, and none harms."""
    found = lab.ensemble(servers=1)
    yield found
    found.kill()


@pytest.fixture
def trio(lab: Lab) -> Iterator[Ensemble]:
    """Give three servers for one test to harm."""
    found = lab.ensemble(servers=3)
    yield found
    found.kill()


@pytest.fixture
def root() -> str:
    """Give a chroot that no other test has."""
    return f"/{uuid.uuid4().hex}/lunmap"


@pytest.fixture
def connect(ensemble: Ensemble, root: str) -> Iterator[Connect]:
    """Give what opens sessions on the test's chroot, closed at its end."""
    with ExitStack() as stack:

        def opened(hosts: str = ensemble.hosts, *, deadline: float = 15.0, **options: Any) -> Session:
            return stack.enter_context(Session(hosts, root, deadline=deadline, **options))

        yield opened


@pytest.fixture
def former(connect: Connect) -> Session:
    """Give a session on a tree of schema 1 at revision 0."""
    opened = connect()
    make_former_tree(opened, Lunmap())
    return opened


@pytest.fixture
def session(connect: Connect) -> Session:
    """Give a session on a tree at revision 0."""
    opened = connect()
    initialise(opened)
    return opened


@pytest.fixture
def ctl(session: Session) -> Ctl:
    """Give lunmapctl on the tree of `session`."""
    return Ctl(session.hosts, session.root)


@pytest.fixture
def kernel() -> FakeLio:
    """Give a kernel with nothing configured."""
    return FakeLio()


@pytest.fixture
def make_agent(session: Session, kernel: FakeLio, tmp_path: Path) -> AgentFactory:
    """Give what makes an agent of node n1."""
    return AgentFactory(session, kernel, tmp_path)


@pytest.fixture
def clock() -> Clock:
    """Give the daemon's clock."""
    return Clock(1000.0)
