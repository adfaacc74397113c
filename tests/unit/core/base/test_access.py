"""Roles, and the ACLs that follow from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.password import Secret
from lunmapd.core.base.permissions.access import (
    Permission,
    Roles,
    acl_at,
    acl_size,
    digest_algorithm,
    is_admin,
    parse_principal,
    roles_of,
    same_principal,
    with_grant,
    with_password,
    without_grant,
)
from lunmapd.core.base.permissions.principals import WORLD, Principal, Role

HASH = "3OptnM09ILoVSfbZtd3mB0IViII="  # of a:b, by ZooKeeper's own DigestAuthenticationProvider
OPS, BOB = Principal("sasl", "ops"), Principal("digest", f"bob:{HASH}")
N1, N2 = Principal("x509", "CN=n1"), Principal("x509", "CN=n2")
ROLES = Roles(
    frozenset({OPS}), frozenset({Principal("sasl", "bob")}), {"n1": frozenset({N1}), "n2": frozenset({N2})}
)

identities = st.sampled_from(
    [OPS, BOB, N1, N2, WORLD, *(Principal("sasl", str(number)) for number in range(5))]
)
groups = st.frozensets(identities, max_size=3)


@st.composite
def roles(draw: st.DrawFn) -> Roles:
    """Draw roles, with one role for each principal; several principals may be a node."""
    admins, readers = draw(groups), draw(groups)
    nodes = draw(st.dictionaries(st.sampled_from(["n1", "n2"]), groups, max_size=2))
    own = {node: members - admins - {WORLD} for node, members in nodes.items()}
    return Roles(admins, readers - admins, own)


@given(roles())
def test_roles_are_read_back_from_the_acls(drawn: Roles) -> None:
    """The root's ACL, meta's and those of the member znodes give each principal's role."""
    members = {node: acl_at(drawn, f"members/{node}") for node in drawn.nodes}
    assert roles_of(acl_at(drawn, ""), members, acl_at(drawn, "meta")) == drawn
    assert roles_of(acl_at(drawn, ""), members) == drawn


def test_an_acl_of_a_member_znode_alone_gives_no_role() -> None:
    """The world is no node, and a principal that meta does not name is none either."""
    members = {"n1": {N1: Permission.OWN, N2: Permission.ALL, WORLD: Permission.ALL, BOB: Permission.READ}}
    meta = acl_at(ROLES.with_role(Role.NODE, frozenset(), "n2"), "meta")
    assert roles_of(acl_at(ROLES, ""), members, {**meta, WORLD: Permission.READ}).nodes == {"n1": {N1}}


@pytest.mark.parametrize(
    ("path", "who", "may"),
    [
        ("", OPS, Permission.ALL),
        ("luns/db1", OPS, Permission.ALL),
        ("", Principal("sasl", "bob"), Permission.READ),
        ("members/n1/live", Principal("sasl", "bob"), Permission.READ),
        ("", N1, None),
        ("head", N1, Permission.READ),
        ("luns", N1, Permission.READ),
        ("luns/db1", N1, Permission.READ),
        ("revisions/0000000001", N1, Permission.READ),
        ("members", N1, None),
        ("members/n1", N1, Permission.OWN),
        ("members/n1/live", N1, Permission.OWN),
        ("members/n2", N1, None),
        ("members/n2/live", N1, None),
        ("rollouts", N1, Permission.READ),
        ("rollouts/0.5", N1, Permission.READ | Permission.CREATE),
        ("rollouts/0.5", Principal("sasl", "bob"), Permission.READ),
        ("head", WORLD, None),
    ],
)
def test_each_has_what_the_role_needs(path: str, who: Principal, may: Permission | None) -> None:
    """A node reads the map, owns its members/ and may undo a rollout; others than roles have nothing."""
    assert acl_at(ROLES, path).get(who) == may


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("floating", Permission.READ),
        ("floating/t gold", Permission.READ),
        ("floating/t gold/lease", Permission.READ | Permission.WRITE),
        ("floating/t gold/wish", Permission.READ | Permission.WRITE),
        ("floating/t gold/candidates", Permission.READ),
        ("floating/t gold/candidates/n1", Permission.OWN),
        ("floating/t gold/candidates/n1/live", Permission.OWN),
        ("floating/t gold/candidates/n2", Permission.READ),
        ("floating/t gold/other", Permission.READ),
        ("floating/t tin/lease", Permission.READ),
        ("floating/t tin/candidates/n1", Permission.READ),
        ("floating/t gone/lease", Permission.READ),
    ],
)
def test_the_nodes_of_a_group_alone_write_its_lease(path: str, may: Permission) -> None:
    """A node of the list writes the lease and the wish, and owns its report; all nodes read everything."""
    listed = replace(ROLES, groups={"t gold": frozenset({"n1", "n2"}), "t tin": frozenset({"n2"})})
    assert acl_at(listed, path).get(N1) == may


@given(
    roles(),
    st.sampled_from(["", "meta", "floating/t gold/lease", "luns/a", "members", "members/n1", "rollouts/0.5"]),
)
def test_nobody_but_admins_may_change_an_acl(drawn: Roles, path: str) -> None:
    """Whatever the schemes of principals are, no ACL gives ADMIN to another role."""
    may = {who for who, found in acl_at(drawn, path).items() if Permission.ADMIN in found}
    assert may == drawn.admins


def test_roles_are_changed_one_at_a_time() -> None:
    """A role is given to exactly the ones named, all others stay as they are."""
    changed = ROLES.with_role(Role.ADMIN, frozenset({N2})).with_role(Role.READER, frozenset({OPS}))
    changed = changed.with_role(Role.NODE, frozenset({BOB}), "n3")
    assert changed.of(Role.ADMIN) == {N2}
    assert changed.of(Role.READER) == {OPS}
    assert [changed.of(Role.NODE, node) for node in ("n1", "n3", "n4")] == [{N1}, {BOB}, frozenset()]


def test_the_world_opens_a_tree() -> None:
    """A tree is open when world is an admin."""
    assert Roles(frozenset({OPS, WORLD})).is_open
    assert not ROLES.is_open


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("world", "world"),
        ("sasl:n1", "sasl:n1"),
        ("sasl:n1/host@EXAMPLE.ORG", "sasl:n1/host@EXAMPLE.ORG"),
        ("x509:CN=n1,O=Example", "x509:CN=n1,O=Example"),
        ("digest:bob", "digest:bob"),
        (f"digest:bob:{HASH}", "digest:bob"),
    ],
)
def test_identities_are_shown_as_they_are_written(text: str, shown: str) -> None:
    """An identity is shown as it is written, without the hash of a password."""
    assert str(parse_principal(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n1",
        "world:all",
        "sasl:",
        "sasl:a b",
        "x509:n1",
        "digest:",
        "digest:bob:secret",
        "digest:b b",
        "ip:10.0.0.1",
    ],
)
def test_other_texts_are_no_identities(text: str) -> None:
    """Anything else is refused with the forms that there are."""
    with pytest.raises(ValueError, match="is not a principal: write sasl:USER"):
        parse_principal(text)


def test_a_digest_has_the_hash_that_zookeeper_makes() -> None:
    """The hash is that of user and password, and two digests of one user are one person."""
    alice = with_password(parse_principal("digest:a"), Secret("b"))
    assert alice == parse_principal(f"digest:a:{HASH}")
    assert same_principal(alice, parse_principal("digest:a"))
    assert not same_principal(alice, parse_principal("sasl:a"))


@pytest.mark.parametrize(
    ("algorithm", "length"), [("sha1", 28), ("sha256", 44), ("sha384", 64), ("sha512", 88)]
)
def test_the_algorithm_of_the_servers_is_that_of_the_hashes(algorithm: str, length: int) -> None:
    """Each algorithm's hash is accepted, and shows with what other passwords must be hashed."""
    alice = with_password(parse_principal("digest:a"), Secret("b"), algorithm)
    assert len(alice.id) == len("a:") + length
    assert parse_principal(f"digest:{alice.id}") == alice
    assert digest_algorithm([OPS, alice, Principal("digest", "hidden:x")]) == algorithm


def test_the_algorithm_is_not_guessed() -> None:
    """Without a digest it is ZooKeeper's default; with hashes of several the admin must say it."""
    assert digest_algorithm([OPS, WORLD]) == "sha1"
    assert digest_algorithm(replace(ROLES, readers=frozenset({BOB})).principals) == "sha1"
    with pytest.raises(ValueError, match=r"several algorithms \(sha1, sha256\)"):
        digest_algorithm([BOB, with_password(parse_principal("digest:a"), Secret("b"), "sha256")])


def test_the_size_of_an_acl_counts_names() -> None:
    """Each entry adds its scheme and id and a fixed part."""
    assert acl_size({}) == 4
    assert acl_size({N1: Permission.READ}) == 4 + 12 + len("x509CN=n1")


def test_a_role_is_granted_and_revoked() -> None:
    """Granting adds one identity to a role, revoking removes it, or all who are a node."""
    grown = with_grant(with_grant(ROLES, Role.READER, BOB), Role.NODE, N1, "n3")
    assert grown.readers == ROLES.readers | {BOB}
    assert grown.nodes["n3"] == {N1}
    assert without_grant(grown, Role.READER, parse_principal("digest:bob")) == without_grant(
        grown, Role.READER, BOB
    )
    assert without_grant(grown, Role.NODE, None, "n3").nodes["n3"] == frozenset()
    assert without_grant(ROLES, Role.ADMIN, N1) == ROLES


def test_a_new_password_replaces_the_old_one() -> None:
    """A digest granted again with another password is the same reader."""
    changed = with_password(parse_principal("digest:bob"), Secret("new"))
    assert with_grant(with_grant(ROLES, Role.READER, BOB), Role.READER, changed).readers == ROLES.readers | {
        changed
    }


@pytest.mark.parametrize(
    ("role", "who", "message"),
    [
        (Role.READER, OPS, "sasl:ops is admin already"),
        (Role.ADMIN, N1, "x509:CN=n1 is node already"),
        (Role.NODE, Principal("sasl", "bob"), "sasl:bob is reader already"),
        (Role.NODE, WORLD, "can't be a node"),
    ],
)
def test_nobody_has_two_roles(role: Role, who: Principal, message: str) -> None:
    """A principal must lose its role before it gets another one, since roles are read from permissions."""
    with pytest.raises(ValueError, match=message):
        with_grant(ROLES, role, who, "n9")


def test_admins_know_each_other() -> None:
    """Admins are the named ones, everybody in an open tree, and always ZooKeeper's superuser."""
    assert is_admin(ROLES, [N1, OPS])
    assert is_admin(ROLES, [Principal("super", "")])
    assert is_admin(Roles(frozenset({WORLD})), [])
    assert not is_admin(ROLES, [N1, BOB])
