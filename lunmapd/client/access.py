"""The roles of principals in the tree of a cluster."""

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.names import check_name
from lunmapd.core.base.password import Secret
from lunmapd.core.base.permissions.access import (
    Roles,
    digest_algorithm,
    is_admin,
    with_grant,
    with_password,
    without_grant,
)
from lunmapd.core.base.permissions.acl_entries import AclDifference
from lunmapd.core.base.permissions.principals import Principal, Role
from lunmapd.core.base.text import first_of
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.acl import ScanProgress
from lunmapd.store.tree.permissions.roles import read_roles
from lunmapd.store.tree.permissions.set_roles import find_differences, set_roles

_MAX_NAMED = 5


class RoleRefusedError(LunmapdError):
    """A role can't be granted or revoked as requested."""

    exit_code = Exit.INVALID


class LockedOutError(LunmapdError):
    """The change would leave this client without the right to make another change."""

    exit_code = Exit.CONFLICT

    def __init__(self, who: str) -> None:
        super().__init__(
            f"after this change you ({who}) would not be an admin: grant yourself the role first, "
            "or make the change as another admin; nothing was changed"
        )


class ZnodesLeftError(LunmapdError):
    """The roles were changed, but this client may neither set the ACLs of `left` nor delete these znodes.

    `changed` is the number of znodes that were changed.
    """

    exit_code = Exit.DEGRADED

    def __init__(self, changed: int, left: tuple[str, ...]) -> None:
        self.changed, self.left = changed, left
        super().__init__(
            f"the change was made ({changed} znodes changed), but these znodes refuse admins: "
            f"{first_of(left, _MAX_NAMED)}; those below members/ were made by that node and give no access "
            "to the map. To remove them, repeat the command as ZooKeeper's superuser "
            "(DigestAuthenticationProvider.superDigest in its administrator's guide)"
        )


def _no_progress(_: int) -> None:
    pass


class Permissions:
    """The roles in one tree.

    `progress`, if given, is called now and then with the number of znodes read so far. Every method raises
    NotPermittedError for a principal without the role admin; a reader may read the roles, but no hashes of
    digests.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def whoami(self) -> tuple[Principal, ...]:
        """Return the principals that the servers authenticated this client as.

        Hashes of passwords are left out.
        """
        return self._session.whoami()

    def roles(self) -> Roles:
        """Read the roles of all principals. Raises NotInitialisedError."""
        return read_roles(self._session)

    def with_password(self, who: Principal, password: Secret) -> Principal:
        """Return a digest with the hash of its password, by the algorithm of the digests that have a role.

        Raises RoleRefusedError if these are hashed by several algorithms.
        """
        try:
            return with_password(who, password, digest_algorithm(self.roles().principals))
        except ValueError as error:
            raise RoleRefusedError(str(error)) from None

    def strays(self, progress: ScanProgress = _no_progress) -> int:
        """Return the number of `differences`."""
        return len(self.differences(progress))

    def differences(self, progress: ScanProgress = _no_progress) -> tuple[AclDifference, ...]:
        """Return the znodes whose ACL allows something else than follows from the roles, or can't be read.

        Any `grant` or `revoke` corrects them.
        """
        return find_differences(self._session, self.roles(), progress)

    def grant(self, role: Role, who: Principal, node: str = "", progress: ScanProgress = _no_progress) -> int:
        """Grant a role to a principal in the whole tree; return the number of znodes that were changed.

        `node` names the node for Role.NODE. Repeat a call that was interrupted. Raises RoleRefusedError,
        LockedOutError, and UnknownIdentityError; and ZnodesLeftError after the role was granted.
        """
        if role is Role.NODE and (sentence := check_name(node)):
            raise RoleRefusedError(sentence)
        try:
            roles = with_grant(self.roles(), role, who, node)
        except ValueError as error:
            raise RoleRefusedError(str(error)) from None
        return self._set(roles, progress)

    def revoke(
        self, role: Role, who: Principal | None, node: str = "", progress: ScanProgress = _no_progress
    ) -> int:
        """Revoke a role from a principal, or (None) from all that have it.

        The map is closed first, then the znodes of nodes. Returns the number of changed znodes. Raises
        LockedOutError, and ZnodesLeftError after the role was revoked.
        """
        return self._set(without_grant(self.roles(), role, who, node), progress)

    def _set(self, roles: Roles, progress: ScanProgress) -> int:
        proven = self.whoami()
        if not is_admin(roles, proven):
            raise LockedOutError(" with ".join(map(str, proven)) or "anonymous")
        done = set_roles(self._session, roles, progress)
        if done.left:
            raise ZnodesLeftError(done.changed, done.left)
        return done.changed
