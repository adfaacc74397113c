"""An ACL that was read is used again only for a znode that has the same one still."""

from lunmapd.core.base.permissions.access import Permission
from lunmapd.core.base.permissions.principals import Principal
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.acl import known_acl

ANN = {Principal("digest", "ann:x"): Permission.READ}


def test_an_acl_is_known_by_its_version() -> None:
    """Another ACL, a znode that was made again, and one that was never read are not known."""
    session = Session("127.0.0.1:1")
    session.known_acls["queue"] = (7, 1), ANN
    assert known_acl(session, "queue", (7, 1)) == ANN
    asked = (
        ("queue", (7, 2)),
        ("queue", (8, 1)),
        ("queue", None),
        ("revisions", (7, 1)),
        ("revisions", None),
    )
    assert [known_acl(session, path, version) for path, version in asked] == [None] * len(asked)
