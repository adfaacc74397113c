"""The principals and their roles, and the names of the branches of the tree that nodes write to.

A session needs these; `access` has the ACLs that follow from them.
"""

from enum import StrEnum

from msgspec import Struct

MEMBERS = "members"
FLOATING = "floating"
ROLLOUTS = "rollouts"
CHUNK_NAMES = tuple(f"{number:04d}" for number in range(32))
"""The names of the chunks in which a node reports what it has opened (`backing_reports`).

With 10,000 Luns each has about 300, compressed to some 20 KiB. Their number is fixed, since an admin creates
the chunks of a node that is a digest: the node does not see the hashes that their ACLs need
(`acl_entries.inherit`).
"""


class Role(StrEnum):
    """The role of a principal in the tree."""

    ADMIN = "admin"
    READER = "reader"
    NODE = "node"


class Principal(Struct, frozen=True, order=True):
    """A ZooKeeper principal: an authentication scheme, and an id of that scheme."""

    scheme: str
    id: str

    def __str__(self) -> str:
        if self == WORLD:
            return self.scheme
        return f"{self.scheme}:{self.user}"

    @property
    def user(self) -> str:
        """The id without the hash of a digest's password."""
        return self.id.partition(":")[0] if self.scheme == "digest" else self.id


WORLD = Principal("world", "anyone")
