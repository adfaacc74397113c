"""The ACLs that a session has read, so that a znode that has the same one still is not asked for it again."""

from lunmapd.core.base.permissions.access import AclEntries

AclVersion = tuple[int, int]
"""The zxid that created a znode, and the version of its ACL: they identify the ACL.

Stat.czxid and Stat.aversion: a setACL raises the version by one (DataTree.java, setACL), a znode that is
created again has another zxid.
"""


class KnownAcls:
    """The last ACL that was read of each znode, by its path in the tree. Threads may share it."""

    def __init__(self) -> None:
        self._acls: dict[str, tuple[AclVersion, AclEntries]] = {}

    def note(self, path: str, version: AclVersion, acl: AclEntries) -> None:
        """Remember an ACL that was read."""
        self._acls[path] = version, acl

    def get(self, path: str, version: AclVersion | None) -> AclEntries | None:
        """Return the ACL of a znode that has this version of it now; None if it is not known."""
        found = self._acls.get(path)
        return found[1] if found is not None and found[0] == version else None
