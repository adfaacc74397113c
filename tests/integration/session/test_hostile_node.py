"""A node that misuses its role: it harms itself only, and its role can be revoked."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL, Id, make_acl, make_digest_acl
from msgspec.structs import replace

from lunmapd.client import (
    Client,
    Credentials,
    NodeInUseError,
    NotAppliedError,
    NotPermittedError,
    Permissions,
    Principal,
    Role,
    Roles,
    Secret,
    parse_principal,
    with_password,
)
from lunmapd.core.base.lunmap import Node
from lunmapd.core.base.permissions.access import Permission
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.permissions.acl import walk_znodes
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise
from support.cluster import Answer, Ctl
from support.commits import put
from support.maps import luns
from support.secure import Open, Secure
from support.sessions import LIVE, STATUS

pytestmark = pytest.mark.integration

WORDS = "a node's secret"
ADMIN = Principal("sasl", "admin")


def digest_of(user: str) -> Principal:
    """Return a digest principal whose password is WORDS."""
    return with_password(parse_principal(f"digest:{user}"), Secret(WORDS))


def own(user: str) -> ACL:
    """Return the ACL entry that gives everything to one digest user."""
    return make_digest_acl(user, WORDS, all=True)


@pytest.fixture
def connect_as(servers: Secure, root: str) -> Iterator[Callable[[str], Session]]:
    """Give a function that opens the session of `sasl:admin`, of a digest user, or an anonymous one."""
    with ExitStack() as stack:

        def opened(who: str = "") -> Session:
            login = Credentials()
            if who == "admin":
                login = Credentials(sasl=servers.login(who))
            elif who:
                login = Credentials(digest=servers.login(who, WORDS))
            made = Session(servers.ensemble.hosts, root, deadline=20.0, credentials=login)
            return stack.enter_context(made)

        yield opened


@pytest.fixture
def admin(connect_as: Open) -> Session:
    """Give the admin's session on a closed tree with two nodes, whose principals are digests."""
    session = connect_as("admin")
    initialise(session, closed=True)
    for node in ("n1", "n2"):
        Permissions(session).grant(Role.NODE, digest_of(node), node)
        register(connect_as(node), node, LIVE)
        write_status(connect_as(node), node, STATUS)
    put(session, luns(1))
    return session


@pytest.fixture
def ctl(admin: Session, servers: Secure, tmp_path_factory: pytest.TempPathFactory) -> Ctl:
    """Give lunmapctl as the admin."""
    settings = tmp_path_factory.mktemp("admin") / "settings.yaml"
    settings.write_text(
        f"zookeeper:\n  hosts: ['{admin.hosts}']\n  chroot: {admin.root}\n"
        f"  sasl: {{user: admin, password_file: {servers.login('admin').password}}}\n"
    )
    return Ctl(None, None, ("-c", str(settings)))


def plain(session: Session) -> KazooClient:
    """Return the kazoo client of a session that has answered once."""
    session.whoami()
    return session.link.current


def raw_acl(session: Session, path: str, *entries: ACL) -> None:
    """Set the ACL of a znode of the tree, past lunmapd."""
    plain(session).set_acls(session.path(path), list(entries))


def test_no_node_may_change_an_acl(admin: Session, connect_as: Open) -> None:
    """Whatever the schemes of principals are, only admins have ADMIN, on every znode of the tree."""
    Permissions(admin).grant(Role.READER, digest_of("audit"))
    Permissions(admin).grant(Role.NODE, Principal("x509", "CN=n3"), "n3")
    register(connect_as("n1"), "n1", LIVE)
    for window in walk_znodes(admin):
        for znode in window:
            for who, may in (znode.acl or {}).items():
                assert who == ADMIN or not may & Permission.ADMIN, (znode.path, who)
    node = connect_as("n1")
    with pytest.raises(NoAuthError):
        raw_acl(node, "members/n1", own("n1"), make_acl("world", "anyone", read=True))


def test_a_digest_node_does_all_its_work(admin: Session, connect_as: Open) -> None:
    """A node whose principal is a digest registers anew and reports; admins and readers see both."""
    Permissions(admin).grant(Role.READER, digest_of("audit"))
    node = connect_as("n1")
    register(node, "n1", LIVE)
    write_status(node, "n1", STATUS)
    for session in (admin, connect_as("audit")):
        found = read_fleet(session)["n1"]
        assert (found.live is not None, found.status, found.problems) == (True, STATUS, ())
    assert Permissions(admin).strays() == 0


def test_what_a_node_did_to_its_acl_is_no_role(admin: Session, connect_as: Open, ctl: Ctl) -> None:
    """An ACL of a member znode that names the world or a stranger gives neither of them a role.

    Nodes of earlier versions could set such an ACL; `acl show --check` names it, any grant corrects it.
    """
    entries = [make_acl("sasl", "admin", all=True), own("n1"), make_acl("sasl", "stranger", all=True)]
    raw_acl(admin, "members/n1", *entries, make_acl("world", "anyone", all=True))
    before = Permissions(admin).roles()
    assert before == Roles(
        frozenset({ADMIN}),
        frozenset(),
        {"n1": frozenset({digest_of("n1")}), "n2": frozenset({digest_of("n2")})},
    )
    shown = ctl("acl", "show", "--check", expect=6)
    assert "members/n1: world may READ, WRITE, CREATE, DELETE, ADMIN beyond its role" in shown.out
    Permissions(admin).grant(Role.READER, digest_of("audit"))
    with pytest.raises(NotPermittedError):
        read_tree(connect_as())
    assert Permissions(admin).strays() == 0
    assert read_tree(connect_as("n1")).revision == 1


def hide(session: Session, *paths: str) -> None:
    """Create znodes below the node's own that only the node itself may read or change."""
    client = plain(session)
    for path in paths:
        if client.exists(session.path(path)):
            client.delete(session.path(path))
        client.create(session.path(path), b"", acl=[own("n1")])


def test_a_hidden_status_is_the_state_of_that_node(admin: Session, connect_as: Open, ctl: Ctl) -> None:
    """Znodes that refuse the admin spoil the row of their node only: each verb about others answers."""
    hide(connect_as("n1"), "members/n1/status", "members/n1/junk")
    fleet = Client(admin).fleet()
    assert fleet.nodes["n2"].status == STATUS
    assert fleet.nodes["n1"].live is not None
    assert any("members/n1/status" in problem for problem in fleet.nodes["n1"].problems)
    shown = json.loads(ctl("status", "-o", "json", expect=6).out)
    assert [node["node"] for node in shown["nodes"]] == ["n1", "n2"]
    assert ctl("check", expect=1).out.startswith("LUNMAP WARNING - n1: members/n1/status: ")
    put(admin, replace(read_tree(admin).lunmap, nodes={"n1": Node(1), "n2": Node(2)}))
    with pytest.raises(NotAppliedError) as caught:
        Client(admin).wait_applied(1, 0.0)
    assert set(caught.value.behind) == {"n1", "n2"}
    assert [line.split()[0] for line in ctl("acl", "show", expect=0).out.splitlines()] == [
        "ROLE",
        "admin",
        "node",
        "node",
    ]


def test_a_revoke_takes_the_map_away_whatever_the_node_did(
    admin: Session, connect_as: Open, ctl: Ctl
) -> None:
    """Revoking removes the znodes that refuse the admin, and names those that it can't remove."""
    node = connect_as("n1")
    register(node, "n1", LIVE)
    hide(node, "members/n1/status", "members/n1/junk", "members/n1/deep", "members/n1/deep/inner")
    done: Answer = ctl("acl", "revoke", "node", "n1", expect=6)
    assert "members/n1/deep" in done.err
    assert "superuser" in done.err
    assert "junk" not in done.err
    assert "status" not in done.err
    with pytest.raises(NotPermittedError):
        read_tree(node)
    with pytest.raises(NoAuthError):
        plain(node).create(node.path("members/n1/again"))
    assert Permissions(admin).roles().nodes["n1"] == frozenset()
    assert read_tree(connect_as("n2")).revision == 1
    node.close()
    with pytest.raises(NodeInUseError, match=r"members/n1/deep.*superuser"):
        Client(admin).forget("n1")


def test_a_node_that_refuses_everything_is_forgotten(admin: Session, connect_as: Open) -> None:
    """After a revoke a node is forgotten, though it left znodes that only it may read, `live` among them."""
    node = connect_as("n1")
    hide(node, "members/n1/live", "members/n1/junk")
    Permissions(admin).revoke(Role.NODE, None, "n1")
    assert Client(admin).forget("n1").node == "n1"
    assert read_fleet(admin).keys() == {"n2"}


def test_a_member_that_refuses_the_admin_stops_no_verb(admin: Session, connect_as: Open, ctl: Ctl) -> None:
    """A member znode of an earlier version that the node closed for admins is named, and its role ends."""
    raw_acl(admin, "members/n1", own("n1"))
    assert ctl("status", expect=6).out.count("alive") == 2
    done = ctl("acl", "revoke", "node", "n1", expect=6)
    assert "members/n1" in done.err
    with pytest.raises(NotPermittedError):
        read_tree(connect_as("n1"))
    assert read_tree(connect_as("n2")).revision == 1
    assert "members/n1" in ctl("acl", "show", "--check", expect=6).out


def test_the_check_judges_what_an_acl_allows(admin: Session, ctl: Ctl) -> None:
    """Entries that change nothing are no difference; what is added or missing is named with its principal."""
    head = plain(admin).get_acls(admin.path("head"))[0]
    split = [ACL(bit, Id("sasl", "admin")) for bit in (1, 2, 4, 8, 16)]
    raw_acl(admin, "head", *split, *(entry for entry in head if entry.id.id != "admin"))
    assert ctl("acl", "show", "--check").out.endswith("0 znodes have another ACL\n")
    raw_acl(admin, "luns", make_acl("sasl", "admin", all=True), make_acl("world", "anyone", write=True))
    shown = ctl("acl", "show", "--check", expect=6).out
    assert "luns: world may WRITE beyond its role" in shown
    assert "luns: digest:n1 lacks READ" in shown
    told = json.loads(ctl("acl", "show", "--check", "-o", "json", expect=6).out)
    assert told["strays"] == 1
    assert [entry["znode"] for entry in told["differences"]] == ["luns"]
