"""The table of docs/security.md: each sentence about what a principal can and cannot do, on a real server."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError, NotEmptyError
from kazoo.security import make_acl
from msgspec.structs import replace

from lunmapd.client import (
    Chap,
    Client,
    Initiator,
    LunmapdError,
    Note,
    Permissions,
    Principal,
    Role,
    RolloutUndoneError,
    Secret,
)
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap, Target
from lunmapd.core.floating.lease import LeaseTimes, owner_record
from lunmapd.core.secrets.sealing import NONCE_BYTES, SecretError, Vault, keyring
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotAuthenticatedError, NotPermittedError
from lunmapd.store.session.credentials import ANONYMOUS, Credentials
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import WatchedGroup
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.own_group import appear, write_lease
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.rollout import undo_rollout
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.maps import luns
from support.secure import SUPER_WORDS, SUPERUSER, Secure
from support.sessions import LIVE, STATUS

pytestmark = pytest.mark.integration

HOST = "iqn.2026-01.org.example:host1"
TARGET = "iqn.2026-01.org.example:floats"
ROWS = {
    "anyone in the network": "",
    "a reader (monitoring)": "reader",
    "a compromised node": "n1",
    "an admin": "admin",
    "ZooKeeper's own admins": SUPERUSER,
}
"""The user of each row of the table."""


class World:
    """A closed tree with a reader, two nodes and a sealed secret, and sessions of each principal."""

    def __init__(self, servers: Secure, root: str, stack: ExitStack) -> None:
        self.servers, self.root, self.stack = servers, root, stack
        self.admin = self.session("admin")
        initialise(self.admin, closed=True)
        permissions = Permissions(self.admin)
        permissions.grant(Role.READER, Principal("sasl", "reader"))
        for node in ("n1", "n2"):
            permissions.grant(Role.NODE, Principal("sasl", node), node)
            register(self.session(node), node, LIVE)
            write_status(self.session(node), node, STATUS)
        put(self.admin, self.lunmap())

    def lunmap(self) -> Lunmap:
        """Return the map, with a password that nobody of the table has the key for."""
        vault = Vault(read_tree(self.admin).cluster, keyring([os.urandom(32)]))
        sealed = vault.seal(f"initiators/{HOST}", "chap", Secret("a long password"), os.urandom(NONCE_BYTES))
        both = FloatingGroup(1001, ("10.0.0.50:3260",), ("n1", "n2"), 77)
        other = FloatingGroup(1002, ("10.0.0.51:3260",), ("n2",), 78)
        target = Target({}, floating={"both": both, "other": other})
        hosts = {HOST: Initiator(chap=Chap("user", sealed))}
        return replace(luns(1, 2), initiators=hosts, targets={TARGET: target})

    def session(self, user: str) -> Session:
        """Open a session as a user of SASL, as the superuser, or anonymously."""
        login = ANONYMOUS
        if user == SUPERUSER:
            login = Credentials(digest=self.servers.login(user, SUPER_WORDS))
        elif user:
            login = Credentials(sasl=self.servers.login(user))
        session = Session(self.servers.ensemble.hosts, self.root, deadline=20.0, credentials=login)
        return self.stack.enter_context(session)

    def znodes(self, top: str = "") -> list[str]:
        """List the absolute paths of a znode and of all below it."""
        found = [self.admin.path(top)]
        for path in found:
            with suppress(NoAuthError):
                found += [f"{path}/{name}" for name in self.admin.link.current.get_children(path)]
        return found


@pytest.fixture
def world(servers: Secure, root: str) -> Iterator[World]:
    """Give the tree and the sessions."""
    with ExitStack() as stack:
        yield World(servers, root, stack)


def works(*attempts: Callable[[], object]) -> bool:
    """Return whether any of these attempts is permitted."""
    for attempt in attempts:
        with suppress(NoAuthError, NotEmptyError, NotPermittedError):
            attempt()
            return True
    return False


def raw(session: Session) -> KazooClient:
    """Return the client of a session that is connected."""
    session.whoami()
    return session.link.current


def reads(world: World, user: str, paths: Sequence[str]) -> bool:
    """Return whether any of these znodes can be read or listed."""
    client = raw(world.session(user))
    return any(works(lambda: client.get(path), lambda: client.get_children(path)) for path in paths)  # noqa: B023


def writes(world: World, user: str, paths: Sequence[str]) -> bool:
    """Return whether any of these znodes can be written, deleted, given children or another ACL."""
    client = raw(world.session(user))
    everybody = [make_acl("world", "anyone", all=True)]

    def tries(path: str) -> Iterator[Callable[[], object]]:
        yield lambda: client.set(path, b"x")
        yield lambda: client.create(f"{path}/intruder")
        yield lambda: client.delete(path)
        yield lambda: client.set_acls(path, everybody)

    return any(works(*tries(path)) for path in paths)


def may_try_to_log_in(world: World, user: str) -> bool:
    """Return whether a server answers a login with a wrong password."""
    del user
    hosts, login = world.servers.ensemble.hosts, world.servers.login("stranger", "a guess")
    with Session(hosts, world.root, deadline=20.0, credentials=Credentials(sasl=login)) as session:
        try:
            session.whoami()
        except NotAuthenticatedError:
            return True
    return False


def reads_the_map(world: World, user: str) -> bool:
    """Return whether the whole map can be read."""
    return read_tree(world.session(user)).lunmap == read_tree(world.admin).lunmap


def reads_the_fleet(world: World, user: str) -> bool:
    """Return whether the registration and status of each node can be read."""
    return read_fleet(world.session(user)) == read_fleet(world.admin)


def opens_secrets(world: World, user: str) -> bool:
    """Return whether the password can be had with another key than that of the cluster."""
    snapshot = read_tree(world.session(user))
    chap = snapshot.lunmap.initiators[HOST].chap
    assert chap is not None
    try:
        Vault(snapshot.cluster, keyring([os.urandom(32)])).open(f"initiators/{HOST}", "chap", chap.password)
    except SecretError:
        return "a long password" in chap.password
    return True


def reports_falsely(world: World, user: str) -> bool:
    """Return whether a made-up status of n1 is read by the admin."""
    false = replace(STATUS, version="false")
    write_status(world.session(user), "n1", false)
    return read_fleet(world.admin)["n1"].status == false


def refuses_admins(world: World, user: str) -> bool:
    """Return whether a znode below the node's own can be hidden from the admin."""
    session = world.session(user)
    path = session.path("members/n1/hidden")
    raw(session).create(path, b"", acl=[make_acl("sasl", user, all=True)])
    return not works(lambda: raw(world.admin).get(path))


def registers_as_another(world: World, user: str) -> bool:
    """Return whether n2 can be registered, in place of its registration or after it was forgotten."""
    session = world.session(user)
    stolen = replace(LIVE, machine="stolen")
    return works(lambda: register(session, "n2", stolen), lambda: register(session, "n3", stolen))


def changes_a_role(world: World, user: str) -> bool:
    """Return whether any ACL can be changed, that of the node's own znodes included."""
    session = world.session(user)
    client, own = raw(session), [make_acl("sasl", user, all=True)]
    tries = [lambda path=path: client.set_acls(path, own) for path in world.znodes()]
    return works(lambda: Permissions(session).grant(Role.ADMIN, Principal("sasl", user)), *tries)


def keeps_its_role(world: World, user: str) -> bool:
    """Return whether a revoked node still reads the map or writes its znodes."""
    session = world.session(user)
    with suppress(LunmapdError):
        Permissions(world.admin).revoke(Role.NODE, None, user)
    client = raw(session)
    return works(lambda: read_tree(session), lambda: client.create(session.path(f"members/{user}/more")))


def stops_verbs(world: World, user: str) -> bool:
    """Return whether reading the fleet, or a grant to others, fails for what a node has made."""
    session = world.session(user)
    for name in ("status", "another"):
        path = session.path(f"members/{user}/{name}")
        with suppress(NoAuthError):
            if raw(session).exists(path):
                raw(session).delete(path)
            raw(session).create(path, b"", acl=[make_acl("sasl", user, all=True)])
    fleet = Client(world.admin).fleet()
    Permissions(world.admin).grant(Role.READER, Principal("sasl", "another"))
    return fleet.nodes["n2"].status != STATUS


def undoes_a_rollout(world: World, user: str) -> bool:
    """Return whether a node undoes a rollout, and can do nothing else to it or to another one."""
    # A revision that is tried may not change a floating group.
    Client(world.admin).apply(luns(1, 2))
    Client(world.admin).apply(luns(1, 2, 3), Note(confirm_within=600))
    rollout = read_tree(world.admin).rollout
    assert rollout is not None
    session = world.session(user)
    client, znode = raw(session), session.path(paths.rollout_of(0, rollout.revision))
    everybody = [make_acl("world", "anyone", all=True)]
    assert not works(
        lambda: client.set(znode, b"x"),
        lambda: client.delete(znode),
        lambda: client.set_acls(znode, everybody),
        lambda: client.create(session.path("rollouts/0.9")),
        lambda: Client(session).confirm(),
    )
    undo_rollout(session, 0, rollout, user)
    with suppress(RolloutUndoneError):
        Client(world.admin).confirm()
        return False
    Client(world.admin).abort_rollout()
    return True


def does_everything(world: World, user: str) -> bool:
    """Return whether the map, the ACLs and the znodes of nodes can be read, written and deleted."""
    session = world.session(user)
    permissions, before = Permissions(session), read_tree(session).lunmap
    put(session, replace(before, luns=luns(3).luns))
    permissions.grant(Role.READER, Principal("sasl", "guest"))
    permissions.revoke(Role.READER, Principal("sasl", "guest"))
    client = raw(session)
    for path in world.znodes():
        client.get(path)
        client.set_acls(path, client.get_acls(path)[0])
    client.create(session.path("members/n2/made"))
    client.delete(session.path("members/n2/made"))
    put(session, before)
    return permissions.strays() == 0


def outside(world: World) -> list[str]:
    """List the znodes that are not those of the node n1, nor of a floating group that lists it."""
    own = ("members/n1", f"floating/{TARGET} both")
    return [path for path in world.znodes() if not path.startswith(tuple(map(world.admin.path, own)))]


def takes_group(world: World, user: str, name: str) -> bool:
    """Return whether the lease of a floating group can be written, or its candidate of that name."""
    session, group = world.session(user), GroupId(TARGET, name)
    lease = WatchedGroup(session, group, lambda: None).read(()).lease
    assert lease is not None
    record = owner_record(user, "b", LeaseTimes())
    return works(
        lambda: write_lease(session, group, record, lease.version), lambda: appear(session, group, "n2")
    )


Attempt = Callable[[World, str], bool]
ATTEMPTS: Mapping[str, Attempt] = {
    "try to log in": may_try_to_log_in,
    "read any znode": lambda world, user: reads(world, user, world.znodes()),
    "write any znode": lambda world, user: writes(world, user, world.znodes()),
    "read the map": reads_the_map,
    "read the state of all nodes": reads_the_fleet,
    "open sealed secrets without the key": opens_secrets,
    "report a false status in `members/<node>`": reports_falsely,
    "make znodes there that refuse admins": refuses_admins,
    "undo a revision that is not confirmed": undoes_a_rollout,
    "change the map": lambda world, user: writes(world, user, outside(world)),
    "write for another node": lambda world, user: writes(world, user, world.znodes("members/n2")),
    "register as another node": registers_as_another,
    "take a floating portal group that lists it": lambda world, user: takes_group(world, user, "both"),
    "take a floating portal group that does not list it": lambda world, user: takes_group(
        world, user, "other"
    ),
    "read the state of another node": lambda world, user: reads(world, user, world.znodes("members/n2")),
    "change a role": changes_a_role,
    "keep its role when it is revoked": keeps_its_role,
    "stop verbs about other nodes": stops_verbs,
    "do everything": does_everything,
    "do everything, as its superuser or through its files": does_everything,
}
# What ends or spoils something for the sentences after it.
LAST = (
    "make znodes there that refuse admins",
    "stop verbs about other nodes",
    "keep its role when it is revoked",
)


def table() -> Iterator[tuple[str, str, bool]]:
    """Yield the principal and the words of each sentence of the table, and whether it can do so."""
    text = Path("docs/security.md").read_text()
    for row in re.findall(
        r"^\| (.+) \|$", text.partition("| principal | can")[2].partition("\n\n")[0], re.MULTILINE
    ):
        principal, can, cannot = (cell.strip() for cell in f"{row} ".split("|"))
        if principal in ROWS:
            yield from ((principal, words, True) for words in can.split("; ") if words)
            yield from ((principal, words, False) for words in cannot.split("; ") if words)


def test_each_principal_can_do_what_the_document_says(world: World) -> None:
    """Each sentence of the table is tried: what somebody can do works, what somebody cannot do is refused."""
    sentences = sorted(table(), key=lambda row: LAST.index(row[1]) if row[1] in LAST else -1)
    assert {principal for principal, _, _ in sentences} == ROWS.keys()
    assert {words for _, words, _ in sentences} == ATTEMPTS.keys()
    wrong = [row for row in sentences if ATTEMPTS[row[1]](world, ROWS[row[0]]) is not row[2]]
    assert wrong == []
