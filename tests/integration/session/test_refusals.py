"""Refusals of servers are named for what they are, with a remedy, in the commands and on a node."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from lab import Ensemble, Lab
from lunmapd.client import Client, Note
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.store.session.errors import ServerRefusedError, UnreachableError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import register, write_status
from lunmapd.store.tree.permissions.roles import create_znode
from lunmapd.store.upkeep.init import initialise
from support.cluster import Ctl
from support.commits import put
from support.maps import luns
from support.secure import Secure
from support.sessions import LIVE, STATUS

pytestmark = pytest.mark.integration

HOST = "iqn.2026-01.org.example:host1"


@pytest.fixture(scope="module")
def strict(lab: Lab) -> Iterator[Ensemble]:
    """Give a server that enforces quotas, hashes passwords by SHA-256, and takes small requests only."""
    config = {"enforceQuota": "true", "DigestAuthenticationProvider.digestAlg": "SHA-256"}
    made = lab.ensemble(1, config=config, jvm=["-Djute.maxbuffer=150000"])
    yield made
    made.kill()


@pytest.fixture
def limited(strict: Ensemble, root: str) -> Iterator[Session]:
    """Give a session on a tree that has all that its quota allows: no znode and no byte may be added."""
    with Session(strict.hosts, root, deadline=20.0) as session:
        initialise(session)
        create_znode(session, "members/n1")
        put(session, luns(1))
        client = KazooClient(strict.hosts)
        client.start(30)
        limits = b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=5"
        client.create(f"/zookeeper/quota{root}/zookeeper_limits", limits, makepath=True)
        client.create(f"/zookeeper/quota{root}/zookeeper_stats", b"count=100,bytes=10000")
        client.stop()
        client.close()
        yield session


def test_a_quota_is_named_by_each_verb(limited: Session) -> None:
    """A commit beyond a hard quota is refused by that name, with exit code 1; nothing else is printed."""
    ctl = Ctl(limited.hosts, limited.root)
    answer = ctl("apply", "-f", "-", "--replace", stdin=f"initiators: {{{HOST}: {{}}}}\n", expect=1)
    (line,) = answer.err.splitlines()
    assert re.search(r"refused the request .*quota .*setquota", line)
    assert Client(limited).newest() == 1


def test_a_quota_is_named_on_a_node(limited: Session) -> None:
    """Registering and reporting beyond a quota is refused by name, and the session lives on."""
    before = limited.session_id
    with pytest.raises(ServerRefusedError, match="quota"):
        write_status(limited, "n1", STATUS)
    for node in ("n1", "n2"):
        with pytest.raises(ServerRefusedError, match="quota"):
            register(limited, node, LIVE)
    assert limited.session_id == before
    with pytest.raises(ServerRefusedError, match="quota"):
        Client(limited).apply(Lunmap(initiators={HOST: Initiator()}), Note())
    assert limited.session_id == before


def impatient(directory: Path, hosts: str) -> Ctl:
    """Return lunmapctl with settings that have a short deadline."""
    settings = directory / "settings.yaml"
    settings.write_text(f"zookeeper: {{hosts: ['{hosts}'], deadline: 1.5, session_timeout: 2}}\n")
    return Ctl(None, None, ("-c", str(settings)))


def test_who_one_is_needs_a_server(servers: Secure, tmp_path: Path) -> None:
    """Without an answer, `acl whoami` is an error; no principal is reported."""
    answer = impatient(tmp_path, "127.0.0.1:1")("acl", "whoami", expect=5)
    assert answer.out == ""
    assert "no answer from ZooKeeper" in answer.err
    assert Ctl(servers.ensemble.hosts, "/lunmap")("acl", "whoami").out == "anonymous\n"


def test_the_library_of_zookeeper_prints_nothing(servers: Secure, tmp_path: Path) -> None:
    """When no session can be had, the error of lunmapctl is the only line."""
    answer = impatient(tmp_path, servers.tls_hosts)("get", expect=5)
    (line,) = answer.err.splitlines()
    assert line.startswith("lunmapctl: no answer from ZooKeeper")


def test_a_digest_has_the_hash_of_the_servers(strict: Ensemble, root: str, tmp_path: Path) -> None:
    """A password that is granted is hashed as the servers hash that of the admin; any hash can be granted."""

    def ctl_as(user: str) -> Ctl:
        password = tmp_path / f"{user}.password"
        password.touch(mode=0o600)
        password.write_text(f"the password of {user}\n")
        settings = tmp_path / f"{user}.yaml"
        settings.write_text(
            f"zookeeper:\n  hosts: ['{strict.hosts}']\n  chroot: {root}\n"
            f"  digest: {{user: {user}, password_file: {password}}}\n"
        )
        return Ctl(None, None, ("-c", str(settings)))

    admin, bob = ctl_as("ann"), ctl_as("bob")
    admin("init", "--acl")
    admin("acl", "grant", "reader", "digest:bob", "--password-file", str(tmp_path / "bob.password"))
    bob("get")
    hashed = "digest:eve:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert admin("acl", "grant", "reader", hashed).out.startswith("digest:eve is reader")


def test_a_request_that_servers_do_not_take_is_named(strict: Ensemble, root: str) -> None:
    """Servers that end the connection at a request are not called unreachable, if they answer otherwise."""
    with Session(strict.hosts, root, timeout=2.0, deadline=6.0) as session:
        initialise(session)
        with pytest.raises(ServerRefusedError, match=r"a request of \d+ bytes.*jute\.maxbuffer"):
            put(session, luns(*range(800)))
        assert Client(session).newest() == 0
        with pytest.raises(UnreachableError, match=r"ended the connection .*jute\.maxbuffer"):
            session.repeat(lambda client: client.set_async(session.path("head"), bytes(200_000)))
