"""Permissions in a real ZooKeeper: the rights of each role, and that nothing else is permitted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError, NotEmptyError
from kazoo.security import make_acl
from msgspec.structs import replace

from fakes.lio import FakeLio
from lab.wait import wait_until
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.client import (
    Client,
    Credentials,
    LockedOutError,
    NodeInUseError,
    NotPermittedError,
    Permissions,
    Principal,
    Role,
    RoleRefusedError,
    Roles,
    Secret,
    UnknownIdentityError,
    parse_principal,
    with_password,
)
from lunmapd.core.base.backing_reports import BackingReport, chunk_of, pack_reports
from lunmapd.core.base.lunmap import Lunmap, Node, PortalGroup, Target
from lunmapd.core.fleet.status import Live, NodeStatus
from lunmapd.store.commit.commit import edit
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import submit
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NodeNameTakenError
from lunmapd.store.session.session import Session
from lunmapd.store.tree import members as registration
from lunmapd.store.tree.backings import read_backings, write_chunk
from lunmapd.store.tree.ledger import read_whole_ledger
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise
from lunmapd.store.upkeep.remove import deletions
from lunmapd.store.upkeep.trim import trim
from support.agents import MAP, AgentFactory, H, T, conditions, failing, mapped_luns, shown
from support.commits import NOW, overtake, put, terms
from support.maps import lun, luns, with_lun
from support.secure import Open, Secure
from support.sessions import LIVE, expire

pytestmark = pytest.mark.integration

STATUS = NodeStatus(boot="b1", version="1", time=NOW)
ADMIN, READER, N2 = (Principal("sasl", user) for user in ("admin", "reader", "n2"))
N1 = Principal("x509", "CN=n1")


@pytest.fixture
def admin(connect_as: Open) -> Session:
    """Give the admin's session on a tree with a reader, two nodes that have registered, and a map."""
    session = connect_as("admin")
    initialise(session, closed=True)
    permissions = Permissions(session)
    permissions.grant(Role.READER, READER)
    permissions.grant(Role.NODE, N1, "n1")
    permissions.grant(Role.NODE, N2, "n2")
    put(session, replace(luns(1, 2), nodes={"n1": Node(1, ("10.0.0.1:3260",))}))
    for node, who in (("n1", "x509:n1"), ("n2", "n2")):
        register(connect_as(who), node, LIVE)
        write_status(connect_as(who), node, STATUS)
    return session


def znodes(session: Session) -> list[str]:
    """List the paths of all znodes of the tree, by an admin's session."""
    found, client = [session.root], session.link.current
    for path in found:
        found += [f"{path}/{name}" for name in client.get_children(path)]
    return found


def attempts(client: KazooClient, path: str) -> dict[str, Callable[[], object]]:
    """Return everything that can be tried with a znode, by name."""
    return {
        "read": lambda: client.get(path),
        "list": lambda: client.get_children(path),
        "write": lambda: client.set(path, b"x"),
        "create": lambda: client.create(f"{path}/intruder", b"x"),
        "delete": lambda: client.delete(path),
        "own": lambda: client.set_acls(path, client.get_acls(path)[0]),
    }


def forbidden(client: KazooClient, path: str, names: set[str]) -> set[str]:
    """Try these operations on a znode; return the refused ones."""
    found = set()
    for name in names:
        try:
            attempts(client, path)[name]()
        except (NoAuthError, NotEmptyError):
            # The znode above the tree is not ours, but one with children can't be removed from there either.
            found.add(name)
    return found


WRITES = {"write", "create", "delete", "own"}
READS = {"read", "list"}


def test_anonymous_gets_at_nothing(admin: Session, connect_as: Open) -> None:
    """Without any identity not one znode can be read, written, made, removed or opened."""
    client = connect_as().link.current
    wait_until("the session is connected", lambda: client.connected)
    for path in znodes(admin):
        assert forbidden(client, path, READS | WRITES) == READS | WRITES, path


def test_a_reader_reads_everything_and_writes_nothing(admin: Session, connect_as: Open) -> None:
    """A reader sees the map and the fleet; no znode can be written, made or removed by it."""
    reader = connect_as("reader")
    assert read_tree(reader).lunmap == read_tree(admin).lunmap
    assert read_fleet(reader).keys() == {"n1", "n2"}
    for path in znodes(admin):
        assert forbidden(reader.link.current, path, READS | WRITES) == WRITES, path


def test_a_node_owns_its_own_only(admin: Session, connect_as: Open) -> None:
    """A node reads the map, writes below its own members/ only, and knows nothing of other nodes."""
    node = connect_as("x509:n1")
    assert read_tree(node).lunmap == read_tree(admin).lunmap
    client, own = node.link.current, node.path("members/n1")
    for path in znodes(admin):
        relative = path.removeprefix(node.root)
        if relative in {"", "/members"} or relative.startswith("/members/n2"):
            assert forbidden(client, path, READS | WRITES) == READS | WRITES, path
        elif not path.startswith(own):
            assert forbidden(client, path, READS | WRITES) == WRITES, path
    assert forbidden(client, own, {"write", "read", "list"}) == set()
    assert forbidden(client, own, {"own", "delete"}) == {"own", "delete"}
    assert forbidden(client, f"{own}/live", {"write", "read"}) == set()
    assert forbidden(client, f"{own}/live", {"delete"}) == set()


def test_a_node_cannot_fake_another(admin: Session, connect_as: Open) -> None:
    """A node can't register or report as another one.

    The error names znode, principal and the verb to use.
    """
    expected = (
        r"x509:CN=n1 has no permission for /\S+/members/n2\S*: .* 'lunmapctl acl grant node n2=x509:CN=n1'"
    )
    with pytest.raises(NotPermittedError, match=expected):
        register(connect_as("x509:n1"), "n2", LIVE)
    with pytest.raises(NotPermittedError, match=expected):
        write_status(connect_as("x509:n1"), "n2", STATUS)
    with pytest.raises(NotPermittedError, match="members/n3"):
        register(connect_as("x509:n1"), "n3", LIVE)
    with pytest.raises(NotPermittedError, match="acl grant node n3=PRINCIPAL"):
        register(connect_as(), "n3", LIVE)
    assert read_fleet(admin)["n2"].live == LIVE


def test_what_is_forbidden_is_said(admin: Session, connect_as: Open) -> None:
    """Reading and committing without permission name the znode, the principal and the granting verb."""
    with pytest.raises(NotPermittedError, match=r"anonymous has no permission .*acl grant reader PRINCIPAL"):
        read_tree(connect_as())
    with pytest.raises(
        NotPermittedError, match=r"sasl:reader has no permission .*acl grant admin sasl:reader"
    ):
        put(connect_as("reader"), luns(3))
    assert read_tree(admin).revision == 1


def test_new_objects_are_as_closed_as_their_section(admin: Session, connect_as: Open) -> None:
    """Objects of later commits get the ACL of their section: nodes and readers follow, strangers don't."""
    put(admin, luns(1, 2, 3))
    register(connect_as("n2"), "n2", LIVE)
    assert Permissions(admin).strays() == 0
    assert read_tree(connect_as("x509:n1")).lunmap == luns(1, 2, 3)


def test_the_next_commit_of_a_session_has_the_roles_of_now(admin: Session, connect_as: Open) -> None:
    """A session that has read ACLs before gives its revision and its place in the queue those of now."""
    strays: list[int] = []

    def change(lunmap: Lunmap) -> Lunmap:
        if len(strays) % 2 == 0:
            overtake(admin, lambda there: with_lun(there, "l1", lun(1, (2 + len(strays)) << 30)))
        strays.append(Permissions(admin).strays())
        return with_lun(lunmap, "l2", lun(2, (9 + len(strays)) << 30))

    assert edit(admin, read_tree(admin), change, terms()) is not None
    Permissions(connect_as("admin")).grant(Role.READER, Principal("sasl", "late"))
    assert edit(admin, read_tree(admin), change, terms()) is not None
    assert [*strays, Permissions(admin).strays()] == [0] * 5


def test_imports_and_checkpoints_are_closed_too(admin: Session, connect_as: Open) -> None:
    """Parts of a large commit and the checkpoint of a history are readable for nodes, not for strangers."""
    put(admin, luns(*range(1200)))
    trim(admin, 1)
    assert Permissions(admin).strays() == 0
    assert read_tree(connect_as("x509:n1")).lunmap == luns(*range(1200))


def test_the_ledger_is_closed_too(admin: Session, connect_as: Open) -> None:
    """Records of the ledger are readable for nodes and readers, and written by admins only."""
    put(admin, MAP)
    put(admin, replace(MAP, luns={}))
    assert read_whole_ledger(admin).ledger.numbers(T, H).used == ((0, 1),)
    assert Permissions(admin).strays() == 0
    for who in ("x509:n1", "reader"):
        assert read_whole_ledger(connect_as(who)) == read_whole_ledger(admin)
        with pytest.raises(NotPermittedError):
            submit(connect_as(who), (Write(paths.address_record(H), b"", b"{}"),))
    assert submit(admin, deletions(admin, paths.ADDRESSES)) is None
    put(admin, MAP)
    assert read_whole_ledger(admin).ledger.numbers(T, H).used == ((0, 1),)
    assert Permissions(admin).strays() == 0


def test_a_restored_tree_keeps_its_roles(
    admin: Session, connect_as: Open, servers: Secure, tmp_path: Path
) -> None:
    """A restore keeps a closed tree closed; in an empty chroot it closes the tree on request."""
    client, file = Client(admin), tmp_path / "backup"
    title = client.backup(file)
    client.restore(file, replaced=title.cluster)
    assert client.permissions.strays() == 0
    assert read_tree(connect_as("x509:n1")).lunmap == read_tree(admin).lunmap
    other = f"{admin.root}-2"
    with Client.connect(
        servers.ensemble.hosts, other, credentials=Credentials(sasl=servers.login("admin"))
    ) as second:
        second.restore(file, closed=True)
        assert second.permissions.roles() == Roles(frozenset({ADMIN}))
        assert second.permissions.strays() == 0


def test_roles_are_read_back(admin: Session) -> None:
    """The tree returns the role of each principal."""
    assert Permissions(admin).roles() == Roles(
        frozenset({ADMIN}), frozenset({READER}), {"n1": frozenset({N1}), "n2": frozenset({N2})}
    )


def test_a_grant_changes_nothing_twice(admin: Session) -> None:
    """The same grant again leaves every znode as it is."""
    assert Permissions(admin).grant(Role.READER, READER) == 0


def test_a_crash_in_the_middle_is_mended_by_the_next_one(admin: Session) -> None:
    """A grant that is interrupted says so, and is completed by repeating it, or by any other."""
    put(admin, luns(*range(300)))
    permissions = Permissions(admin)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; some znodes .* repeat the command$"):
        permissions.grant(Role.READER, Principal("sasl", "n3"), progress=interrupt)
    assert permissions.strays() > 300
    permissions.revoke(Role.READER, READER)
    assert permissions.strays() == 0
    assert permissions.roles().readers == {Principal("sasl", "n3")}


def test_who_loses_a_role_loses_all_of_it(admin: Session, connect_as: Open) -> None:
    """A reader and a node that were revoked get at nothing, running sessions included."""
    reader, node = connect_as("reader"), connect_as("x509:n1")
    read_tree(reader)
    read_tree(node)
    permissions = Permissions(admin)
    assert permissions.revoke(Role.READER, READER) > 0
    assert permissions.revoke(Role.NODE, None, "n1") > 0
    put(admin, luns(5))
    for session in (reader, node):
        with pytest.raises(NotPermittedError):
            read_tree(session)
        assert all(
            forbidden(session.link.current, path, READS | WRITES) == READS | WRITES for path in znodes(admin)
        )
    assert permissions.roles().nodes["n1"] == frozenset()
    assert permissions.strays() == 0


def test_the_last_admin_stays(admin: Session) -> None:
    """The last admin can't revoke itself, and a principal has one role only."""
    permissions = Permissions(admin)
    with pytest.raises(LockedOutError, match="sasl:admin"):
        permissions.revoke(Role.ADMIN, ADMIN)
    with pytest.raises(RoleRefusedError, match="sasl:reader is reader already"):
        permissions.grant(Role.ADMIN, READER)
    with pytest.raises(RoleRefusedError, match="is not a name"):
        permissions.grant(Role.NODE, N1, "a/b")
    with pytest.raises(UnknownIdentityError):
        permissions.grant(Role.READER, Principal("x509", "not a subject"))
    assert Permissions(admin).roles().admins == {ADMIN}
    assert permissions.strays() == 0


def test_an_open_tree_is_closed(connect_as: Open) -> None:
    """A tree that was open, with a node in it, is closed by naming an admin and revoking the world."""
    anyone, admin = connect_as(), connect_as("admin")
    initialise(anyone)
    register(anyone, "n1", LIVE)
    assert Permissions(anyone).roles().is_open
    Permissions(anyone).grant(Role.ADMIN, ADMIN)
    with pytest.raises(LockedOutError, match="anonymous"):
        Permissions(anyone).revoke(Role.ADMIN, parse_principal("world"))
    Permissions(admin).revoke(Role.ADMIN, parse_principal("world"))
    with pytest.raises(NotPermittedError):
        read_tree(anyone)
    assert Permissions(admin).strays() == 0
    assert read_fleet(admin)["n1"].live == LIVE


def test_nobody_in_particular_closes_no_tree(connect_as: Open) -> None:
    """A principal that the servers don't know can't make a closed tree."""
    with pytest.raises(UnknownIdentityError, match="this client, which is anonymous"):
        initialise(connect_as(), closed=True)


def test_a_digest_is_granted_by_its_hash(
    admin: Session, connect_as: Open, servers: Secure, root: str
) -> None:
    """A digest reader reads everything but registrations, which nodes make without seeing its hash."""
    bob = with_password(parse_principal("digest:bob"), Secret("bob's secret"))
    Permissions(admin).grant(Role.READER, bob)
    node = connect_as("n2")
    register(node, "n2", LIVE)
    login = servers.login("bob", "bob's secret")
    with Session(servers.ensemble.hosts, root, credentials=Credentials(digest=login)) as reader:
        found = read_fleet(reader)["n2"]
        assert (found.live, found.status, found.problems) == (Live("", "", "", ""), STATUS, ())
        assert reader.whoami() == (Principal("digest", "bob"),)
        reports = {"a": BackingReport("/dev/a", 512)}
        write_chunk(node, "n2", chunk_of("a"), pack_reports(reports))
        assert read_backings(reader, ["n2"])["n2"].luns == reports
    assert Permissions(admin).strays() == 0
    Permissions(admin).revoke(Role.READER, parse_principal("digest:bob"))
    assert Permissions(admin).roles().readers == {READER}


def test_a_session_proves_all_that_it_has(servers: Secure, root: str) -> None:
    """Certificate, SASL and digest are used together, and the servers return our principals."""
    both = Credentials(servers.tls("n1").tls, servers.login("n1"), servers.login("bob", "x"))
    with Client.connect(servers.tls_hosts, root, credentials=both) as client:
        assert set(client.permissions.whoami()) == {N1, Principal("sasl", "n1"), Principal("digest", "bob")}


def test_a_node_that_follows_an_ephemeral_that_went_is_not_removed(connect_as: Open) -> None:
    """If another machine registers while a stale ephemeral is replaced, the name is taken."""
    past, late, other = connect_as(), connect_as(), connect_as()
    initialise(past)
    register(past, "n1", LIVE)
    own, stale = registration._read_member(late, "n1")
    assert own is not None
    assert stale is not None
    past.close()
    wait_until(
        "the node is gone", lambda: read_fleet(late)["n1"].live is None if "n1" in read_fleet(late) else True
    )
    register(other, "n1", replace(LIVE, machine="m2"))
    assert not registration._create_ephemeral(late, "n1", LIVE, own[1].version, stale[1].version)
    with pytest.raises(NodeNameTakenError, match="m2"):
        register(late, "n1", LIVE)


def test_a_node_does_all_its_work_in_a_closed_tree(admin: Session, connect_as: Open, tmp_path: Path) -> None:
    """The agent registers, applies and reports with its own rights, also after its session has expired."""
    session = connect_as("n2")
    put(admin, replace(luns(1), nodes={"n2": Node(2, ("10.0.0.2:3260",))}))
    agent = AgentFactory(session, FakeLio(), tmp_path)(node="n2", ids=MachineId("m1", "b2"))
    assert agent.run_cycle().converged
    assert read_fleet(admin)["n2"].status == agent.status
    old = session.session_id
    expire(session)
    wait_until("a new session", lambda: session.session_id not in {None, old})
    assert agent.run_cycle().store_error is None
    live = read_fleet(admin)["n2"].live
    assert live is not None
    assert (live.machine, live.boot) == ("m1", "b2")


def test_a_node_follows_the_rest_of_a_map_of_which_one_object_is_forbidden(
    admin: Session, connect_as: Open, tmp_path: Path
) -> None:
    """The objects of that document stay as they were; a client that commits or keeps a backup is refused."""
    kernel, nodes = FakeLio(), {"n2": Node(2, ("10.0.0.2:3260",))}
    put(admin, replace(mapped_luns(1, 2), nodes=nodes, targets={T: Target({"n2": PortalGroup(1)})}))
    agent = AgentFactory(connect_as("n2"), kernel, tmp_path)(node="n2", policy=Policy(full_read=0.0))
    assert agent.run_cycle().converged
    admin.link.current.set_acls(admin.path("luns/l1"), [make_acl("sasl", "admin", all=True)])
    put(admin, replace(read_tree(admin).lunmap, luns=mapped_luns(1, 3).luns))
    agent.run_cycle()
    assert shown(kernel) == {"l1", "l3"}
    assert conditions(agent)["StoreReadable"] == "Read"
    assert failing(agent) == {"document luns/l1": "DocumentUnreadable"}
    assert "acl grant reader" in agent.status.failing[0].message
    with pytest.raises(NotPermittedError, match="luns/l1"):
        read_tree(connect_as("n2"))
    Permissions(admin).grant(Role.READER, READER)
    assert agent.run_cycle().converged


def test_a_node_is_forgotten_by_admins_and_without_its_role(admin: Session, connect_as: Open) -> None:
    """Forgetting is refused while a principal may write as the node, and to readers and nodes.

    An admin removes all.
    """
    permissions = Permissions(admin)
    permissions.grant(Role.NODE, N2, "n3")
    with pytest.raises(NodeInUseError, match="lunmapctl acl revoke node n3"):
        Client(admin).forget("n3")
    permissions.revoke(Role.NODE, None, "n3")
    for who in ("reader", "n2"):
        with pytest.raises(NotPermittedError):
            Client(connect_as(who)).forget("n3")
    assert Client(admin).forget("n3").last_said == ""
    assert permissions.roles().nodes.keys() == {"n1", "n2"}
    assert permissions.strays() == 0
