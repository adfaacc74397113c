"""What ACLs allow, however they are spelled, and what a znode inherits from one that is partly hidden."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.permissions.access import AclEntries, Permission
from lunmapd.core.base.permissions.acl_entries import (
    CREATOR,
    AclDifference,
    allowed,
    compare_acls,
    inherit,
    show_permission,
)
from lunmapd.core.base.permissions.principals import WORLD, Principal

OPS, N1 = Principal("sasl", "ops"), Principal("x509", "CN=n1")
BOB, HIDDEN = Principal("digest", "bob:3OptnM09ILoVSfbZtd3mB0IViII="), Principal("digest", "bob:x")
acls = st.dictionaries(st.sampled_from([OPS, N1, BOB, WORLD]), st.integers(0, 31).map(Permission))


@given(acls, acls)
def test_a_difference_is_one_of_what_is_allowed(one: AclEntries, other: AclEntries) -> None:
    """Two ACLs differ exactly if they allow some principal, or the world, something else."""
    everybody = (OPS, N1, BOB, WORLD, Principal("sasl", "another"))
    same = all(allowed(one, who) == allowed(other, who) for who in everybody)
    assert bool(compare_acls("head", one, other)) != same


def test_what_the_world_may_is_said_once() -> None:
    """A permission of the world is listed for the world, not for each principal."""
    found = compare_acls("head", {WORLD: Permission.ALL}, {OPS: Permission.ALL, N1: Permission.READ})
    assert found == AclDifference("head", {WORLD: Permission.ALL})
    found = compare_acls("head", {WORLD: Permission.READ}, {OPS: Permission.ALL, N1: Permission.READ})
    assert found == AclDifference("head", {WORLD: Permission.READ}, {OPS: Permission.ALL & ~Permission.READ})


def test_an_acl_that_is_not_known_is_a_difference() -> None:
    """A znode that refuses the client counts as different."""
    assert AclDifference("members/n1", refused=True)
    assert not AclDifference("members/n1")


def test_permissions_have_the_names_of_zookeeper() -> None:
    """They are listed in the order of ZooKeeper's bits."""
    assert show_permission(Permission.OWN) == "READ, WRITE, CREATE, DELETE"
    assert show_permission(Permission.ADMIN) == "ADMIN"


def test_what_is_seen_is_inherited() -> None:
    """Without hidden entries a znode has the ACL of its parent."""
    parent = {OPS: Permission.ALL, BOB: Permission.READ, N1: Permission.OWN}
    assert inherit(parent, Permission.READ) == parent


def test_hidden_digests_are_left_out() -> None:
    """An entry whose hash is hidden is not copied; the creator names itself if it is one of them."""
    reader = {OPS: Permission.ALL, HIDDEN: Permission.READ, N1: Permission.OWN}
    assert inherit(reader, Permission.READ) == {OPS: Permission.ALL, N1: Permission.OWN}
    node = {OPS: Permission.ALL, HIDDEN: Permission.OWN}
    assert inherit(node, Permission.READ) == {OPS: Permission.ALL, CREATOR: Permission.READ}
    assert inherit(node) == {OPS: Permission.ALL}
    assert inherit({HIDDEN: Permission.ALL}, Permission.READ) == {}
